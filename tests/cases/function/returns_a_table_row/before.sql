create table t (id int primary key, a int); insert into t values (1, 1); create function f() returns setof t language sql as 'select * from t'; create view v as select id from f();
