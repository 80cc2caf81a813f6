create table t (id int primary key, tenant int); insert into t values (1, 1), (2, 2);
alter table t enable row level security; create policy p on t using (tenant = 1);
create table free (id int primary key); insert into free values (1);
create view below as select id, tenant from t;
create view as_owner as select id from below where tenant = 1;
create view as_caller with (security_invoker) as select id from t where tenant = 1;
create view of_all as select id from free where id = 1;
create materialized view kept as select id from t where tenant = 1;
create view over_caller as select id from as_caller where id > 0;
