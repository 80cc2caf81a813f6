create table t (id int primary key, a int); create view v as select id, a from t; create schema other; create view other.w as select a from v; create view other.x as select a from other.w;
