create table p (id int primary key);
create table t (id int primary key, old_name text not null unique check (old_name <> ''), old_p int references p);
insert into p values (1); insert into t values (1, 'a', 1), (2, 'b', null);
create index t_old on t (lower(old_name)); create view v as select old_name from t;
