create table t (id int primary key, tested int, untested int, later int not null);
insert into t values (1, 1, null, 1);
alter table t add constraint t_tested_not_null not null tested not valid;
