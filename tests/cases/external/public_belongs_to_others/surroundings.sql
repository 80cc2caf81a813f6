create type mood as enum ('good', 'bad');
create table countries (code text primary key);
create function helper(a int) returns int language sql immutable as $$ select a + 1 $$;
insert into countries values ('CH');
