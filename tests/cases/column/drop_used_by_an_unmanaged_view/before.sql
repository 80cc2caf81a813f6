create table t (id int primary key, gone text); create schema other; create view other.v as select gone from t;
