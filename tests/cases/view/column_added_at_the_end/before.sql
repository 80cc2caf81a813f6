create table t (id int primary key, a int); create view v as select id from t; create view w as select id from v; grant select on v to reader;
