create table t (id int primary key, a int); create table u (id int, a int, primary key (a, id));
