create view gone as select 1 as id; grant select (id) on gone to reader; create table t (id int);
