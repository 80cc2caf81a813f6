create table t (id int primary key, a int); grant select on t to boss;
create view v as select a, id from t; alter view v owner to boss; set role boss; grant select on v to reader with grant option; grant update on v to clerk; reset role;
create view plain as select a, id from t; grant select on plain to reader;
create function f(a int) returns bigint language sql as 'select 1'; alter function f owner to boss; set role boss; revoke all on function f from public; grant execute on function f to clerk; reset role;
create materialized view m as select a, id from t; grant select on m to reader;
create type e as enum ('b'); alter type e owner to boss; set role boss; revoke usage on type e from public; grant usage on type e to writer; reset role;
create table uses (e e);
