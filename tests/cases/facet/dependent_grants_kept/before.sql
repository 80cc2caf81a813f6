-- Only the option of SELECT is passed on, and reader has it twice.
create table t (id int primary key); grant select, insert, update on t to reader with grant option; grant select, insert on t to clerk with grant option;
set role clerk; grant select on t to reader with grant option;
set role reader; grant select on t to writer; reset role;
