create table t (id int primary key with (deduplicate_items = no), tags text[], n int) with (autovacuum_enabled = off, toast.vacuum_truncate = 'T', fillfactor = 90);
create index a on t using gin (tags) with (fastupdate = off);
create index b on t (n) with (deduplicate_items = 1, fillfactor = 80);
create index c on t (n) with (deduplicate_items = off);
create materialized view m with (autovacuum_enabled = 0) as select 1 x;
