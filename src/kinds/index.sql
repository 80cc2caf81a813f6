with live as materialized (
  select i.indexrelid, i.indrelid, i.indnkeyatts, i.indisunique, i.indkey, i.indclass, i.indcollation, i.indoption, i.indpred,
         [[15: i.indnullsnotdistinct | false]] as nulls_not_distinct,
         not (i.indisvalid and i.indisready and i.indislive) as invalid,
         c.relname, c.reloptions, c.relam
  from pg_index i
  join pg_class c on c.oid = i.indexrelid
  join pg_class t on t.oid = i.indrelid
  where t.relnamespace = any ($1) and t.relkind in ('r', 'm') and not c.relispartition
    and not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
), parameters as materialized (
  -- Of opclasses; there are few.
  select attrelid, attnum, attoptions from pg_attribute where attoptions is not null and attnum > 0
), operators as materialized (
  -- Per opclass: whether it is a default, whether for all types of a sort, and how it prints.
  select o.oid, o.opcmethod, o.opcintype, o.opcdefault,
         it.typtype = 'p' or it.typispreferred as general,
         quote_ident(n.nspname) || '.' || quote_ident(o.opcname) as name
  from pg_opclass o
  join pg_namespace n on n.oid = o.opcnamespace
  join pg_type it on it.oid = o.opcintype
), sorts as materialized (
  select co.oid, quote_ident(n.nspname) || '.' || quote_ident(co.collname) as name
  from pg_collation co
  join pg_namespace n on n.oid = co.collnamespace
), elements as (
  select u.indexrelid, u.n, u.n > u.indnkeyatts as included,
         case
           when u.n > u.indnkeyatts then a.attname::text
           else coalesce(quote_ident(a.attname), pg_get_indexdef(u.indexrelid, u.n::int, false))
             || case when u.coll <> 0 and u.coll <> coalesce(a.attcollation, 'pg_catalog."default"'::regcollation)
                  then ' COLLATE ' || sorts.name
                  else '' end
             || case
                  when u.attoptions is not null then
                    ' ' || o.name || '(' || (select string_agg(
                      quote_ident(split_part(p, '=', 1)) || '=' || quote_literal(substr(p, strpos(p, '=') + 1)), ', ' order by p)
                      from unnest(u.attoptions) p) || ')'
                  when not o.opcdefault then ' ' || o.name
                  when a.attname is null or o.opcintype = coalesce(nullif(ty.typbasetype, 0), ty.oid) then ''
                  when exact.oid is not null or not o.general then ' ' || o.name
                  else '' end
             || case u.opt when 1 then ' DESC NULLS LAST' when 2 then ' NULLS FIRST' when 3 then ' DESC' else '' end
         end as text
  from (
    -- The other vectors count from 0.
    select live.indexrelid, live.indrelid, live.indnkeyatts, k.n, o.attoptions,
           k.att, live.indclass[k.n - 1] as opclass, live.indcollation[k.n - 1] as coll, live.indoption[k.n - 1] as opt
    from live
    cross join lateral unnest(live.indkey) with ordinality k (att, n)
    left join parameters o on o.attrelid = live.indexrelid and o.attnum = k.n
    offset 0
  ) u
  left join pg_attribute a on a.attrelid = u.indrelid and a.attnum = u.att
  left join pg_type ty on ty.oid = a.atttypid
  left join sorts on sorts.oid = u.coll
  left join operators o on o.oid = u.opclass
  left join operators exact on exact.opcdefault and exact.opcmethod = o.opcmethod and exact.oid <> o.oid
    and exact.opcintype = coalesce(nullif(ty.typbasetype, 0), ty.oid)
), keys as (
  -- Sorted once, not once per aggregate and group.
  select indexrelid,
         array_agg(text) filter (where not included) as keys,
         coalesce(array_agg(text) filter (where included), '{}') as include
  from (select * from elements order by indexrelid, n) e
  group by indexrelid
)
select live.indexrelid, live.indrelid, 0, null::oid, null::text,
       live.relname::text,
       nullif(am.amname::text, 'btree'),
       live.indisunique,
       keys.keys,
       keys.include,
       live.reloptions,
       pg_get_expr(live.indpred, live.indrelid),
       live.nulls_not_distinct,
       live.invalid
from live
join pg_am am on am.oid = live.relam
join keys on keys.indexrelid = live.indexrelid
