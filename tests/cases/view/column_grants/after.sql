create table t (id int primary key, a int, b int);
create view v as select id, a, b from t; grant select (id) on v to reader; grant update (a) on v to app_user; grant update (a) on v to writer with grant option; grant select (a) on v to clerk; grant select (b) on v to boss; comment on column v.b is 'new'; alter view v alter column b set default 3;
create view left_alone as select id from t; grant select (id) on left_alone to reader;
create materialized view m as select id, a from t; grant select (id) on m to clerk; comment on column m.id is 'new';
