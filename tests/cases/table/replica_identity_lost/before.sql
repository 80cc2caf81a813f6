create table a (id int primary key, k int not null);
create unique index a_k on a (k);
alter table a replica identity using index a_k;
drop index a_k;
insert into a values (1, 1);
