create table t (id int primary key, tenant int, n int); insert into t values (1, 1, null), (2, 2, null); alter table t enable row level security; alter table t force row level security;
create policy p on t using (tenant = nullif(current_setting('app.tenant', true), '')::int);
