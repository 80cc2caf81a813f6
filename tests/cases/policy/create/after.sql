create table t (id int primary key, owner_name text);
alter table t enable row level security; alter table t force row level security;
create policy p_all on t using (owner_name = current_user) with check (id > 0);
create policy p_select on t for select to app_user, reader using (true); comment on policy p_select on t is 'all may read';
create policy p_insert on t for insert to app_user with check (owner_name = current_user);
create policy p_update on t for update using (id > 1) with check (id > 2);
create policy p_delete on t as restrictive for delete to writer using ((select count(*) from t) > 0);
