create table t (id int primary key, a int);
create view v as select id, a from t; grant update (a) on v to app_user; create view gone as select id from t; grant select (id) on gone to reader;
