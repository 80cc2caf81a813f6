create function public.current_tenant() returns uuid language sql stable as $$ select nullif(current_setting('app.tenant', true), '')::uuid $$;
create function public.is_superadmin() returns boolean language sql stable as $$ select coalesce(nullif(current_setting('app.superadmin', true), '')::boolean, false) $$;
create table tenants (id uuid primary key, name text not null);
create table countries (id int primary key);
create table orders (id int primary key, tenant_id uuid not null references tenants, unique (tenant_id, id));
create table simple (id int primary key, tenant_id uuid not null references tenants, order_id int references orders, country int references countries);
create table carried (id int primary key, tenant_id uuid not null references tenants, order_id int, foreign key (tenant_id, order_id) references orders (tenant_id, id));
create table itself (id int primary key, tenant_id uuid not null, parent int references itself);
