grant create on schema public to boss; create table t (id int primary key); grant select on t to reader; alter table t owner to boss;
create sequence s; alter sequence s owner to boss;
