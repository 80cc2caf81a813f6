create table t (id int primary key, a int, b int not null default 1, c text default 'x', d int default 4);
insert into t values (1, 1, 2, 'c', 3);
