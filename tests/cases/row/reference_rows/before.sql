create table plans (id int primary key, name text not null, price numeric(6,2), tags text[]); insert into plans values (1, 'old', 1, null), (7, 'not declared', 7, '{}');
create table t (id int primary key, plan int references plans); insert into t values (1, 7);
