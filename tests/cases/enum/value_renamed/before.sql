create type st as enum ('new', 'done');
create table t (id int primary key, s st default 'new'); insert into t values (1, 'new'), (2, 'done');
