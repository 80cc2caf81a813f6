create table t (a int primary key, id serial);
alter table t owner to boss;
insert into t (a) values (1), (2);
