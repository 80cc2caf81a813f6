create table t (id int primary key, a int); grant select on t to boss; insert into t values (1, 2);
create view v as select id, a from t; grant select on v to reader with grant option; grant update on v to clerk; alter view v owner to boss;
create view plain as select id, a from t; grant select on plain to reader;
create function f(a int) returns int language sql as 'select 1'; revoke all on function f from public; grant execute on function f to clerk; alter function f owner to boss;
create materialized view m as select id, a from t; grant select on m to reader;
create type e as enum ('a', 'b'); revoke usage on type e from public; grant usage on type e to writer; alter type e owner to boss;
create table uses (e e);
