create table t (id int primary key, a int, b int); create index i_a on t (a); create index i_b on t (b); create index x on t (a, b); comment on index x is 'c';
