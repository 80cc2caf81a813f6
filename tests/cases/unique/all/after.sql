create table t (id int primary key, a int unique, b int, c int, d int, e int, f int,
 constraint t_ab unique (a, b), constraint t_c unique (c) include (d), constraint t_d_key unique (d) deferrable, constraint t_e_key unique (e) deferrable initially deferred);
comment on constraint t_c on t is 'with more';
