create schema citus;
create type citus.distribution_type as enum ('hash', 'range', 'append');
create table citus.pg_dist_partition (
  logicalrelid regclass primary key, partmethod "char" not null, partkey text, colocationid int not null default 0, repmodel "char" default 'c');
create table citus.pg_dist_shard (logicalrelid regclass not null, shardid bigint primary key, shardminvalue text, shardmaxvalue text);
create function citus.create_distributed_table(
  table_name regclass, distribution_column text, distribution_type citus.distribution_type default 'hash',
  colocate_with text default 'default', shard_count int default null) returns void language plpgsql as $$
begin insert into citus.pg_dist_partition values (table_name, 'h', distribution_column) on conflict do nothing; end $$;
create function citus.create_reference_table(table_name regclass) returns void language plpgsql as $$ begin null; end $$;
create function citus.shards(relation regclass, out shard bigint, out size bigint) returns setof record
  language sql stable as $$ select shardid, 0::bigint from citus.pg_dist_shard where logicalrelid = relation $$;
create function citus.worker_hash(value anyelement) returns int language sql immutable as $$ select 1 $$;
create view citus.tables as select logicalrelid as table_name, partkey as distribution_column from citus.pg_dist_partition;
