create table t (id int primary key, a int); create view v as select id, a from t; grant select on v to reader with grant option;
set role reader; grant select on v to clerk; reset role;
