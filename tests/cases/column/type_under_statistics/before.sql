create table t (id int primary key, a int, b int); create statistics st on a, b from t; insert into t select i, i, i from generate_series(1, 10) i;
