create table g (id int primary key, a int, b int); insert into g values (1, 2, 3);
create view gv as select id, a, max(b) from g group by id; grant select on gv to reader;
