create table t (id int primary key, a int); grant select on t to reader; grant select (a) on t to reader with grant option;
set role reader; grant select (a) on t to clerk; reset role;
