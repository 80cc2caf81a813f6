create table t (id int primary key, a bigint, b int); create statistics st on a, b from t;
