create table tenants (id uuid primary key, name text);
create table t (id int primary key, tenant_id uuid not null references tenants (id) on delete cascade, n int not null);
