create function public.current_tenant() returns uuid language sql stable as $$ select nullif(current_setting('app.tenant', true), '')::uuid $$;
create function public.is_superadmin() returns boolean language sql stable as $$ select coalesce(nullif(current_setting('app.superadmin', true), '')::boolean, false) $$;
create table tenants (id uuid primary key, name text not null);
create table bare (id int primary key, tenant_id uuid not null);
create table switched_off (id int primary key, tenant_id uuid not null);
create policy p on switched_off using (tenant_id = current_tenant());
create table safe (id int primary key, tenant_id uuid not null);
alter table safe enable row level security;
create table shared (id int primary key);
