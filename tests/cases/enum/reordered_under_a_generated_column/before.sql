create type e as enum ('a', 'b');
create table t (id int primary key, x int, s e generated always as (case when x > 0 then 'a'::e else 'b'::e end) stored, o e);
insert into t (id, x, o) values (1, 5, 'b');
