create function public.current_tenant() returns uuid language sql stable as $$ select nullif(current_setting('app.tenant', true), '')::uuid $$;
create function public.is_superadmin() returns boolean language sql stable as $$ select coalesce(nullif(current_setting('app.superadmin', true), '')::boolean, false) $$;
create table tenants (id uuid primary key, name text not null);
create table orders (id int primary key, tenant_id uuid not null references tenants);
create table lines (id int primary key, order_id int references orders);
create table annotations (id int primary key, line_id int references lines);
create table countries (id int primary key);
create table users (id int primary key, country int references countries);
create table shipments (id int primary key, tenant_id uuid not null references tenants, order_id int references orders);
