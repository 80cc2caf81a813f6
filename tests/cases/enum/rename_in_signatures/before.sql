create type mood as enum ('good', 'bad');
create domain score as int;
create function is_good(m mood, s score) returns boolean language sql immutable as 'select m = ''good''';
create table t (id int primary key, m mood, check (is_good(m, 1)));
insert into t values (1, 'good');
