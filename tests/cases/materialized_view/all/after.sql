create table t (id int primary key, a int);
create materialized view change as select a, id from t; create index change_a on change (a desc); comment on materialized view change is 'c';
create materialized view same as select a from t; create index same_id on same (a); grant select on same to reader;
create materialized view fresh with (fillfactor = 90) as select count(*) n from t; create unique index fresh_n on fresh (n); alter materialized view fresh owner to boss;
create materialized view opts as select id from t; create materialized view empty as select id from t with no data;
