create table t (id int primary key, n int not null default 5, s serial); insert into t (id) select generate_series(1, 10);
create view v as select n from t; create index t_n on t (n) where n > 3;
