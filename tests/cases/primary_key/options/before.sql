create table t (id int constraint old_name primary key, a int); insert into t values (1, 1);
create table d (id int primary key);
