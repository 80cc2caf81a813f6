create table t (id int primary key, a int, b int, c int, d int unique, e int unique, f int, constraint gone unique (f));
insert into t values (1, 1, 1, 1, 1, 1, 1), (2, 2, 2, 2, 2, 2, 2);
