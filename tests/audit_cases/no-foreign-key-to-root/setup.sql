create function public.current_tenant() returns uuid language sql stable as $$ select nullif(current_setting('app.tenant', true), '')::uuid $$;
create function public.is_superadmin() returns boolean language sql stable as $$ select coalesce(nullif(current_setting('app.superadmin', true), '')::boolean, false) $$;
create table tenants (id uuid primary key, name text not null);
create table untied (id int primary key, tenant_id uuid not null);
create table tied (id int primary key, tenant_id uuid not null references tenants, unique (tenant_id, id));
create table through (id int primary key, tenant_id uuid not null, tied int not null, foreign key (tenant_id, tied) references tied (tenant_id, id));
create table through_null (id int primary key, tenant_id uuid not null, tied int, foreign key (tenant_id, tied) references tied (tenant_id, id));
create table by_other_column (id int primary key, tenant_id uuid not null, other uuid references tenants);
