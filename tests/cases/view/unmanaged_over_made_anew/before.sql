create table t (id int primary key, a int); insert into t values (1, 2);
create view v as select a from t; create view w as select a::text as b from v;
create schema theirs; create view theirs.x as select b from w;
