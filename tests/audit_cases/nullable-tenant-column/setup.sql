create function public.current_tenant() returns uuid language sql stable as $$ select nullif(current_setting('app.tenant', true), '')::uuid $$;
create function public.is_superadmin() returns boolean language sql stable as $$ select coalesce(nullif(current_setting('app.superadmin', true), '')::boolean, false) $$;
create table tenants (id uuid primary key, name text not null);
create table loose (id int primary key, tenant_id uuid);
create table strict (id int primary key, tenant_id uuid not null);
create table by_key (tenant_id uuid primary key);
create table other (id int primary key, tenant uuid);
