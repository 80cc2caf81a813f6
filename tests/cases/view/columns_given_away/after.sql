create table t (id int primary key, tenant int);
alter table t enable row level security; create policy p on t using (tenant = 1);
create view leak as select id, tenant from t; grant select (id) on leak to reader;
create materialized view copied as select id, tenant from t; grant select (tenant) on copied to public;
create view owned as select id, tenant from t;
