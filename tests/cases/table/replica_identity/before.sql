create table a (id int primary key, k int not null);
create unique index a_k on a (k);
create table b (id int primary key);
alter table b replica identity full;
create table c (id int primary key);
insert into a values (1, 1); insert into b values (1);
