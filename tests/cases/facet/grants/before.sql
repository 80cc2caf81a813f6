create table t (id int primary key, a int, b int); grant select, insert on t to app_user; grant update (b) on t to app_user; grant select on t to reader with grant option; grant delete on t to writer; grant select on t to public;
create function f() returns int language sql as 'select 1'; create sequence s; grant usage on sequence s to writer; create view v as select 1 x; grant all on v to writer;
create table untouched (id int); grant select on untouched to reader;
