create table t (id int primary key, o text); insert into t values (1, 'a'); alter table t enable row level security;
create policy a on t using (id > 0); create policy b on t for select to reader using (id > 0); create policy c on t for update using (id > 0) with check (id > 0);
create policy d on t as restrictive using (id > 0); create policy gone on t for delete using (true); create policy cmd on t for select using (true);
