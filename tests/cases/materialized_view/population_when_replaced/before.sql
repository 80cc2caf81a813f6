create table t (id int primary key, a int); insert into t values (1, 5), (2, 6);
create materialized view refreshed as select a from t;
create materialized view empty as select a from t with no data;
create materialized view wanted as select a from t with no data;
create materialized view gone as select a from t with no data;
