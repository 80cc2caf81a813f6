create table t (id int primary key, a int, b int); create index i_a on t (b); create index i_b on t (a);
