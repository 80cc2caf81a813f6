create table tenants (id int primary key, name text not null); create table t (id int primary key, tenant_id int not null references tenants);
