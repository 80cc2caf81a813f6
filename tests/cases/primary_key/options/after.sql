create table t (id int, a int, constraint new_name primary key (id) include (a));
create table d (id int primary key deferrable);
