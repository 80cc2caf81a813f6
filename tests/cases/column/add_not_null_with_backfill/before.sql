create table tenants (id uuid primary key, name text); insert into tenants values ('00000000-0000-0000-0000-000000000000', 'd');
create table t (id int primary key); insert into t values (1), (2);
