create function mine(t int) returns bool language sql stable begin atomic select t > 0; end;
create function allowed(t int) returns bool language sql stable begin atomic select public.mine(t); end;
create function unrelated() returns int language sql as 'select 2';
create function quick(t int) returns bool language sql immutable as 'select true';
create table t (id int primary key, tenant int);
alter table t enable row level security;
create policy of_tenant on t using (allowed(tenant) and quick(id));
create function hidden() returns int language sql security definer set search_path = public as 'select 1';
