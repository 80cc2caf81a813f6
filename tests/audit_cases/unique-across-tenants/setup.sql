create function public.current_tenant() returns uuid language sql stable as $$ select nullif(current_setting('app.tenant', true), '')::uuid $$;
create function public.is_superadmin() returns boolean language sql stable as $$ select coalesce(nullif(current_setting('app.superadmin', true), '')::boolean, false) $$;
create table tenants (id uuid primary key, name text not null);
create table t (id int generated always as identity primary key, tenant_id uuid not null,
  slug text unique, name text, code text, token uuid unique, number bigserial unique, unique (tenant_id, name));
create unique index t_lower on t (lower(name));
create unique index t_code on t (code);
create unique index t_ok on t (tenant_id, lower(code));
create table u (id int generated always as identity primary key, code text references t (code));
create table named (name text primary key, tenant_id uuid not null);
create table shared (slug text unique);
