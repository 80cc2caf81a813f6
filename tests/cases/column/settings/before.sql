create table t (id int primary key, a text, b text collate "C", c text, d int);
alter table t alter a set storage external, alter c set statistics 50, alter c set compression pglz;
insert into t values (1, 'a', 'b', 'c', 4);
