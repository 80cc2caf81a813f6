create table t (id int primary key, a int);
create view v as select a, id from t; grant update (a), select (id) on v to app_user; grant select on v to reader; comment on column v.a is 'kept'; alter view v alter column id set default 8;
create view w as select a from v; grant select (a) on w to reader;
create materialized view m as select a, id from t; grant select (a) on m to clerk;
