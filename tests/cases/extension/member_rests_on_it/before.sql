create table t (id int primary key, a int, b int); insert into t values (1, 2, 3);
create view brought as select a from t;
alter extension plpgsql add view brought;
