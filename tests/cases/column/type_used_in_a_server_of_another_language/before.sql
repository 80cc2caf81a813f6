-- As a server with translated messages describes things.
create or replace function pg_catalog.pg_describe_object(classid oid, objid oid, objsubid integer) returns text
  language sql as $$ select 'le machin n° ' || objid $$;
create table t (id int primary key, a int, constraint theirs check (a > 0));
create index theirs_too on t (a);
create index theirs_in_part on t (id) where a > 1;
insert into t values (1, 1), (2, 2);
