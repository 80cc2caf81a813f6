create function public.current_tenant() returns uuid language sql stable as $$ select nullif(current_setting('app.tenant', true), '')::uuid $$;
create function public.is_superadmin() returns boolean language sql stable as $$ select coalesce(nullif(current_setting('app.superadmin', true), '')::boolean, false) $$;
create table tenants (id uuid primary key, name text not null);
create table enabled (id int primary key, tenant_id uuid);
alter table enabled enable row level security;
create table forced (id int primary key, tenant_id uuid);
alter table forced enable row level security;
alter table forced force row level security;
create table neither (id int primary key, tenant_id uuid);
