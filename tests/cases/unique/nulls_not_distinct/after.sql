create table t (id int primary key, a int, b int, constraint t_a unique nulls not distinct (a), constraint t_b unique nulls not distinct (b));
