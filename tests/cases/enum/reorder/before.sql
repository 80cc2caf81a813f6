create type st as enum ('a', 'b', 'c');
create table t (id int primary key, s st); insert into t values (1, 'a'), (2, 'c');
create index t_s on t (s);
