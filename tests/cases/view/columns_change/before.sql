create table t (id int primary key, a int, b text); insert into t values (1, 2, 'x');
create view v with (security_barrier) as select id, a, b from t; grant select on v to reader with grant option; comment on view v is 'kept'; comment on column v.a is 'col'; alter view v owner to boss; grant select on t to boss;
create view w as select v.* from v; create function f() returns setof v language sql as 'select * from v'; create materialized view m as select count(*) n from w;
