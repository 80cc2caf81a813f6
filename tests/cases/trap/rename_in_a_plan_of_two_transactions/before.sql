create type st as enum ('a');
create table d (id int primary key, old int, s st, constraint ck check (old > 0)); insert into d values (1, 5, 'a');
create index ix on d (id) where old > 1;
create view v as select id from d;
create function f() returns setof d language sql stable as 'select null::d';
