create table t (id int primary key, tenant int); insert into t values (1, 1), (2, 2);
alter table t enable row level security; create policy p on t using (tenant = 1);
