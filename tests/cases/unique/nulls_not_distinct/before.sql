create table t (id int primary key, a int, b int, constraint t_b unique (b)); insert into t values (1, null, 1), (2, 1, 2);
