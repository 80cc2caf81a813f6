create table a (id int primary key, v text) with (fillfactor = 70, autovacuum_enabled = false);
create table b (id int);
insert into a values (1, 'x');
