create table t (id int primary key, gone text); insert into t values (1, 'x');
create view v as select id, gone from t; grant select on v to reader;
