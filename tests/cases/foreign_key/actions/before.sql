create table p (id int primary key, k int unique); create table t (id int primary key, a int references p, b int references p on delete cascade, c int, d int, e int default 1, f int references p deferrable);
insert into p values (1, 1); insert into t values (1, 1, 1, 1, 1, 1, 1);
