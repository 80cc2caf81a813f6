create domain positive as int not null check (value > 0); create domain other as text constraint own not null;
create table t (id int primary key, a positive);
