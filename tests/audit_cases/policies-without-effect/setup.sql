create function public.current_tenant() returns uuid language sql stable as $$ select nullif(current_setting('app.tenant', true), '')::uuid $$;
create function public.is_superadmin() returns boolean language sql stable as $$ select coalesce(nullif(current_setting('app.superadmin', true), '')::boolean, false) $$;
create table tenants (id uuid primary key, name text not null);
create table switched_off (id int primary key, owner text);
create policy p on switched_off using (owner = current_user);
create table on_guard (id int primary key, owner text);
create policy p on on_guard using (owner = current_user);
alter table on_guard enable row level security;
-- Reported as a tenant table.
create table of_tenants (id int primary key, tenant_id uuid);
create policy p on of_tenants using (tenant_id = current_tenant());
