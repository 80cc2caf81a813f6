create table t (id int primary key); grant select on t to reader with grant option; set role reader; grant select on t to clerk; reset role;
