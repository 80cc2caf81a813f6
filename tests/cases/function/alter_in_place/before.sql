create function f(a int, b int default 1) returns int language sql as 'select a'; comment on function f is 'old'; grant execute on function f to app_user;
create function g() returns int language sql security definer set search_path = 'public' as 'select 1';
create function h(a int) returns int language sql immutable strict as 'select a';
create table t (id int primary key, x int default f(1)); insert into t values (1); create view v as select f(id) from t;
