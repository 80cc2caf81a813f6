create table t (id int generated always as identity primary key, a text); alter table t owner to boss;
insert into t (a) values ('x'), ('y');
