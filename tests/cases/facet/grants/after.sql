create table t (id int primary key, a int, b int); grant select, update on t to app_user; grant select on t to reader; grant insert on t to clerk with grant option; grant update (a) on t to app_user; grant select (a), references (a) on t to clerk;
create function f() returns int language sql as 'select 1'; revoke all on function f() from public; create sequence s; grant select, update on sequence s to writer; create view v as select 1 x; grant select on v to reader;
create table untouched (id int); grant select on untouched to reader;
