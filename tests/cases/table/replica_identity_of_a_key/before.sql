create table a (id int primary key, k int not null);
create table b (id int primary key, k int not null unique);
alter table b replica identity using index b_k_key;
create table c (id int not null);
insert into a values (1, 1); insert into b values (1, 1); insert into c values (1);
