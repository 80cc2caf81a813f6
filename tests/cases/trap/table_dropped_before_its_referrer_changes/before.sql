create table a (id int primary key); create table b (id int primary key, a int references a); insert into a values (1); insert into b values (1, 1);
