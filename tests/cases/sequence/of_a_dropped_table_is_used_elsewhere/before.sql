create table t (id serial primary key); insert into t default values;
create table u (id int primary key default nextval('t_id_seq')); insert into u default values;
