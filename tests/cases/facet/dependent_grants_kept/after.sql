create table t (id int primary key); grant select on t to clerk with grant option; grant insert on t to reader;
set role clerk; grant select on t to reader with grant option;
set role reader; grant select on t to writer; reset role;
