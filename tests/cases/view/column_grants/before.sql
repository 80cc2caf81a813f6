create table t (id int primary key, a int, b int);
create view v as select id, a from t; grant select (id), insert (id) on v to reader; grant update (a) on v to app_user with grant option; grant select on v to clerk; grant select (a) on v to clerk;
create view left_alone as select id from t; grant select (id) on left_alone to reader;
create materialized view m as select id, a from t; grant select (a) on m to clerk; comment on column m.id is 'old';
