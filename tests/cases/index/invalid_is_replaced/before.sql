create table t (id int primary key, a int); insert into t values (1, 1), (2, 1);
\set ON_ERROR_STOP 0
create unique index concurrently t_a on t (a);
\set ON_ERROR_STOP 1
update t set a = id;
