create table a (id int primary key, x int); create table b (id int primary key, x int); insert into a values (1, 1);
