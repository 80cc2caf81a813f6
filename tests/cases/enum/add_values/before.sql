create type st as enum ('b', 'd');
create table t (id int primary key, s st not null default 'b'); insert into t values (1, 'b'), (2, 'd');
