create table t (id int primary key, tenant int);
alter table t enable row level security; create policy p on t using (tenant = 1);
alter default privileges grant select on tables to reader;
create view leak as select id from t; grant select on leak to reader;
create view kept_back as select id from t; revoke select on kept_back from reader;
create view as_caller with (security_invoker) as select id from t;
