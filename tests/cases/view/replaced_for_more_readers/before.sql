create table t (id int primary key, n int);
create view v as select id, n from t; grant select on v to reader;
