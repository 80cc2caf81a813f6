with owned as (
  select oid, nspname from pg_namespace where nspname = any ($1)
), things (class, oid) as (
  select 'pg_class'::regclass, c.oid from pg_class c
    where c.relnamespace in (select oid from owned)
      and (c.relkind in ('p', 'f') or c.relkind = 'r' and c.relispartition
           or c.relkind = 'r' and exists (select from pg_inherits i where i.inhrelid = c.oid or i.inhparent = c.oid)
           or c.relkind = 'c')
  union all
  select 'pg_type'::regclass, t.oid from pg_type t
    where t.typnamespace in (select oid from owned)
      and (t.typtype in ('r', 'm') or t.typtype = 'b' and t.typelem = 0 or t.typtype = 'p')
      and not exists (select from pg_type e where e.typarray = t.oid)
  union all
  select 'pg_proc'::regclass, p.oid from pg_proc p
    where p.pronamespace in (select oid from owned) and p.prokind = 'a'
  union all
  select 'pg_operator'::regclass, o.oid from pg_operator o where o.oprnamespace in (select oid from owned)
  union all
  select 'pg_opclass'::regclass, o.oid from pg_opclass o where o.opcnamespace in (select oid from owned)
  union all
  select 'pg_opfamily'::regclass, o.oid from pg_opfamily o where o.opfnamespace in (select oid from owned)
  union all
  select 'pg_collation'::regclass, o.oid from pg_collation o where o.collnamespace in (select oid from owned)
  union all
  select 'pg_conversion'::regclass, o.oid from pg_conversion o where o.connamespace in (select oid from owned)
  union all
  select 'pg_statistic_ext'::regclass, o.oid from pg_statistic_ext o where o.stxnamespace in (select oid from owned)
  union all
  select 'pg_ts_config'::regclass, o.oid from pg_ts_config o where o.cfgnamespace in (select oid from owned)
  union all
  select 'pg_ts_dict'::regclass, o.oid from pg_ts_dict o where o.dictnamespace in (select oid from owned)
  union all
  select 'pg_ts_parser'::regclass, o.oid from pg_ts_parser o where o.prsnamespace in (select oid from owned)
  union all
  select 'pg_ts_template'::regclass, o.oid from pg_ts_template o where o.tmplnamespace in (select oid from owned)
  union all
  select 'pg_rewrite'::regclass, r.oid from pg_rewrite r join pg_class c on c.oid = r.ev_class
    where c.relnamespace in (select oid from owned) and r.rulename <> '_RETURN'
)
select pg_describe_object(t.class, t.oid, 0)
from things t
where not exists (select from pg_depend d where d.classid = t.class and d.objid = t.oid and d.deptype = 'e')
union all
select format('tablespace %s of %s', s.spcname, c.oid::regclass)
from pg_class c join pg_tablespace s on s.oid = c.reltablespace
where c.relnamespace in (select oid from owned) and c.relkind in ('r', 'i', 'm')
union all
select case when c.relkind = 'i' then format('statistics target of index %s', c.oid::regclass)
            else format('options %s of column %s.%s', a.attoptions, c.oid::regclass, a.attname) end
from (
  select attrelid, attname, attoptions, attstattarget from pg_attribute
  where (attoptions is not null or coalesce(attstattarget, -1) >= 0) and attnum > 0 and not attisdropped
  offset 0
) a
join pg_class c on c.oid = a.attrelid
where c.relnamespace in (select oid from owned)
  and (c.relkind in ('r', 'm') and a.attoptions is not null or c.relkind = 'i' and coalesce(a.attstattarget, -1) >= 0)
union all
select format('clustering of %s on index %s', i.indrelid::regclass, i.indexrelid::regclass)
from pg_index i join pg_class c on c.oid = i.indexrelid
where c.relnamespace in (select oid from owned) and i.indisclustered
