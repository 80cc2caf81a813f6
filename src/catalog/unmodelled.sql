with owned as (
  select oid, nspname from pg_namespace where oid = any ($1)
), relations as materialized (
  -- Those that have anything of what follows, found in one go.
  select * from (
    select c.oid, c.relkind, c.relispartition, c.relacl, c.relowner, c.reltablespace, c.reloftype,
           c.oid in (select inhrelid from pg_inherits union all select inhparent from pg_inherits) as inherits
    from pg_class c
    where c.relnamespace = any ($1)
  ) c
  where c.relkind not in ('r', 'i') or c.relispartition or c.reltablespace <> 0 or c.reloftype <> 0 or c.inherits
), things (class, oid) as (
  select 'pg_class'::regclass, c.oid from relations c
    where c.relkind in ('p', 'f') or c.relkind = 'r' and (c.relispartition or c.inherits)
      -- Of one that an extension brought, the type is the member.
      or c.relkind = 'c' and not exists (
        select from pg_type t join pg_depend e on e.classid = 'pg_type'::regclass and e.objid = t.oid
        where t.typrelid = c.oid and e.deptype = 'e')
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
from relations c join pg_tablespace s on s.oid = c.reltablespace
where c.relkind in ('r', 'i', 'm')
union all
select format('clustering of %s on index %s', i.indrelid::regclass, i.indexrelid::regclass)
from pg_index i join pg_class c on c.oid = i.indexrelid
where c.relnamespace in (select oid from owned) and i.indisclustered
union all
select format('%s on %s, of an identity column', s.what, s.oid::regclass)
from (
  select c.oid, 'grants' from relations c
  where c.relkind = 'S' and c.relacl <> acldefault('s', c.relowner)
  union all
  select c.oid, 'comment' from pg_description e join relations c on c.oid = e.objoid
  where e.classoid = 'pg_class'::regclass and e.objsubid = 0 and c.relkind = 'S'
) s (oid, what)
where exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = s.oid and d.deptype = 'i'
              and d.refclassid = 'pg_class'::regclass)
union all
-- Of checks of domains, and of NOT NULL from 18 on.
select format('comment on %s%s', pg_describe_object('pg_constraint'::regclass, k.oid, 0),
              case when k.contypid <> 0 then ' on domain ' || k.contypid::regtype end)
from pg_constraint k join pg_description e on e.classoid = 'pg_constraint'::regclass and e.objoid = k.oid
where k.connamespace in (select oid from owned) and (k.contypid <> 0 or k.contype = 'n')
union all
-- The comment of a constraint is another.
select format('comment on index %s, of a constraint', i.indexrelid::regclass)
from pg_description e
join pg_index i on i.indexrelid = e.objoid
join pg_constraint k on k.conrelid = i.indrelid and k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x')
where e.classoid = 'pg_class'::regclass and e.objsubid = 0 and k.connamespace in (select oid from owned)
union all
-- What is for all schemas is for these too.
select pg_describe_object('pg_default_acl'::regclass, d.oid, 0)
from pg_default_acl d
where d.defaclnamespace = 0 or d.defaclnamespace in (select oid from owned)
union all
-- What stands in no schema, and is about what stands in one.
select pg_describe_object('pg_event_trigger'::regclass, e.oid, 0)
from pg_event_trigger e join pg_proc p on p.oid = e.evtfoid
where p.pronamespace in (select oid from owned)
  and not exists (select from pg_depend d where d.classid = 'pg_event_trigger'::regclass and d.objid = e.oid and d.deptype = 'e')
union all
select pg_describe_object('pg_publication'::regclass, p.oid, 0)
from pg_publication p
where p.puballtables or p.oid in (
  select r.prpubid from pg_publication_rel r join pg_class c on c.oid = r.prrelid where c.relnamespace in (select oid from owned)
  [[15: union all select n.pnpubid from pg_publication_namespace n where n.pnnspid in (select oid from owned) | ]]
)
union all
select pg_describe_object('pg_cast'::regclass, c.oid, 0)
from pg_cast c
where c.oid >= 16384
  and (c.castsource in (select t.oid from pg_type t where t.typnamespace in (select oid from owned))
       or c.casttarget in (select t.oid from pg_type t where t.typnamespace in (select oid from owned))
       or c.castfunc in (select p.oid from pg_proc p where p.pronamespace in (select oid from owned)))
  and not exists (select from pg_depend d where d.classid = 'pg_cast'::regclass and d.objid = c.oid and d.deptype = 'e')
union all
select format('dependence of %s on extension %s', pg_describe_object(d.classid, d.objid, d.objsubid), e.extname)
from pg_depend d join pg_extension e on d.refclassid = 'pg_extension'::regclass and e.oid = d.refobjid
where d.deptype = 'x' and case d.classid
    when 'pg_proc'::regclass then exists (
      select from pg_proc p where p.oid = d.objid and p.pronamespace = any ($1))
    when 'pg_class'::regclass then exists (
      select from pg_class c where c.oid = d.objid and c.relnamespace = any ($1))
    when 'pg_trigger'::regclass then exists (
      select from pg_trigger t join pg_class c on c.oid = t.tgrelid where t.oid = d.objid and c.relnamespace = any ($1))
  end
union all
select format('type %s of table %s', c.reloftype::regtype, c.oid::regclass)
from relations c
where c.relkind = 'r' and c.reloftype <> 0
union all
select format('options %s of column %s.%s', a.attoptions, c.oid::regclass, a.attname)
from relations c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind = 'm' and a.attoptions is not null
union all
-- Only expressions have any.
select format('statistics target of index %s', c.oid::regclass)
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_attribute a on a.attrelid = i.indexrelid and a.attnum > 0 and coalesce(a.attstattarget, -1) >= 0
where i.indexprs is not null and c.relnamespace in (select oid from owned) and c.relkind = 'i'
union all
select format('settings of column %s.%s', c.oid::regclass, a.attname)
from relations c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_type t on t.oid = a.atttypid
where c.relkind = 'm'
  and (coalesce(a.attstattarget, -1) >= 0 or a.attstorage <> t.typstorage or a.attcompression <> '')
union all
-- Keys that are tested late; foreign keys are modelled.
select format('triggers of %s that do not fire', pg_describe_object('pg_constraint'::regclass, k.oid, 0))
from pg_constraint k
where k.connamespace in (select oid from owned) and k.contype in ('p', 'u', 'x') and k.condeferrable
  and k.oid in (select g.tgconstraint from pg_trigger g where g.tgisinternal and g.tgenabled <> 'O')
