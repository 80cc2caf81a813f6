create table t (id int primary key, a int, g int generated always as (a + 1) stored, h int generated always as (a + 2) stored, i int);
insert into t (id, a, i) values (1, 1, 4); create view v as select g from t;
