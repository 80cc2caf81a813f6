create domain d as int not null check (value > 0); create table t (id int primary key, a d); insert into t values (1, 2);
create domain kept as text constraint own not null;
