create table p (id int primary key); create table t (id int primary key, a int, b int, constraint t_a foreign key (a) references p);
alter table t add constraint t_b foreign key (b) references p not valid;
