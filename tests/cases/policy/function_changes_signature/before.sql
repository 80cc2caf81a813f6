create function me() returns text language sql stable as $$ select current_user::text $$;
revoke execute on function me() from public; grant execute on function me() to app_user;
create table t (id int primary key, o text default me(), constraint c check (o <> me())); insert into t values (1, 'x');
alter table t enable row level security; create policy p on t for select to app_user using (o = me()); comment on policy p on t is 'kept';
create index i on t (id) where id > 0; create view v as select * from t where o = me(); grant select on v to app_user;
