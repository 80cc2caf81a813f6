create table p (id int primary key); create table t (id int primary key, a int, b int); insert into p values (1); insert into t values (1, 1, 9);
alter table t add constraint t_a foreign key (a) references p not valid;
