create table t (id int primary key, o text); alter table t enable row level security;
create policy a on t using (id > 1); create policy b on t for select to reader, writer using (id > 0); create policy c on t for update using (id > 0);
create policy d on t using (id > 0); create policy cmd on t for update using (true);
