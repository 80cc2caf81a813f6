create function mine(t int) returns bool language sql stable begin atomic select t = 1; end;
create function allowed(t int) returns bool language sql stable begin atomic select public.mine(t); end;
create function unrelated() returns int language sql as 'select 1';
create function quick(t int) returns bool language sql as 'select true';
create table t (id int primary key, tenant int); insert into t values (1, 1), (2, 2);
alter table t enable row level security;
create policy of_tenant on t using (allowed(tenant) and quick(id));
create function hidden() returns int language sql security definer set search_path = '' as 'select 1';
