create function f(a int) returns int language sql as 'select a'; revoke execute on function f from public; grant execute on function f to app_user; comment on function f is 'kept';
create table t (id int primary key, x int, constraint c check (f(x) > 0)); insert into t values (1, 1); create view v as select f(id) q from t; grant select on v to reader;
