create table t (id int primary key, a int); create schema other; create view other.v as select a from t;
create view other.w as select a from other.v;
