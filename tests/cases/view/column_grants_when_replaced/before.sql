create table t (id int primary key, a int);
create view v as select id, a from t; grant update (a), select (id) on v to app_user; grant select on v to reader; comment on column v.a is 'kept'; alter view v alter column id set default 7;
create view w as select a from v; grant select (a) on w to writer;
create view gone as select id from t; grant select (id) on gone to reader;
create materialized view m as select id, a from t; grant select (a) on m to clerk;
