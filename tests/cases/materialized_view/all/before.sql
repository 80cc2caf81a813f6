create table t (id int primary key, a int); insert into t values (1, 5), (2, 6);
create materialized view change as select a from t; create materialized view gone as select a from t; create materialized view same as select a from t; create unique index same_a on same (a); grant select on same to reader; create index change_a on change (a);
create materialized view opts with (fillfactor = 50) as select id from t;
