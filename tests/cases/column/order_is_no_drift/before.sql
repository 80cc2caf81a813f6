create table t (b int, id int primary key, a int); insert into t values (1, 2, 3);
