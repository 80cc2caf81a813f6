create table t (id int primary key); alter table t owner to clerk;
grant select on t to reader with grant option; insert into t values (1);
