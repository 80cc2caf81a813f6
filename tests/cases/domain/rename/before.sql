create domain d as int check (value > 0); create table t (id int primary key, a d); insert into t values (1, 2);
