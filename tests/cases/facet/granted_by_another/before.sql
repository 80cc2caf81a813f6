create table t (id int primary key, a int); grant select, update on t to reader with grant option;
set role reader; grant select (a) on t to clerk; grant update on t to writer; reset role;
