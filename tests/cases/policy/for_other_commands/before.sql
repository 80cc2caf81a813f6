create table t (id int primary key, a int, b int); alter table t enable row level security;
create policy held on t as restrictive for select using (a > 0);
create policy held_less on t as restrictive for all using (a > 0);
create policy fewer on t for all using (a > 0) with check (b > 0);
create policy more on t for select using (a > 0);
create policy other_check on t for all using (a > 0) with check (b > 0);
insert into t values (1, 1, 1);
