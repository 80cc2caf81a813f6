create table t (id int primary key, x int, g int generated always as (x + 1) stored, s text generated always as (x::text) stored);
create view v as select g from t; create index g_idx on t (g);
insert into t values (1, 5);
