create table a (id int primary key); create unlogged table b (id int primary key);
insert into a select generate_series(1, 10); insert into b values (7);
