create table t (id int primary key); create table x (id int); insert into x values (1);
