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
), operators as materialized (
  -- Per opclass: whether it is a default, whether for all types of a sort, and how it prints.
  select o.oid, o.opcmethod, o.opcintype, o.opcdefault, o.opckeytype,
         it.typtype = 'p' or it.typispreferred as general,
         quote_ident(n.nspname) || '.' || quote_ident(o.opcname) as name
  from pg_opclass o
  join pg_namespace n on n.oid = o.opcnamespace
  join pg_type it on it.oid = o.opcintype
), elements as (
  select live.indexrelid, u.n, u.n > live.indnkeyatts as included,
         case
           when u.n > live.indnkeyatts then a.attname::text
           else coalesce(quote_ident(a.attname), pg_get_indexdef(live.indexrelid, u.n::int, false))
             || case when u.coll <> 0 and u.coll <> coalesce(a.attcollation, 'pg_catalog."default"'::regcollation)
                  then (select ' COLLATE ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
                        from pg_collation co join pg_namespace cn on cn.oid = co.collnamespace where co.oid = u.coll)
                  else '' end
             || case
                  when ia.attoptions is not null then
                    ' ' || o.name || '(' || (select string_agg(
                      quote_ident(split_part(p, '=', 1)) || '=' || quote_literal(substr(p, strpos(p, '=') + 1)), ', ' order by p)
                      from unnest(ia.attoptions) p) || ')'
                  when not o.opcdefault then ' ' || o.name
                  when a.attname is null or o.opcintype = coalesce(nullif(ty.typbasetype, 0), ty.oid) then ''
                  when exact.oid is not null or not o.general then ' ' || o.name
                  else '' end
             || case u.opt when 1 then ' DESC NULLS LAST' when 2 then ' NULLS FIRST' when 3 then ' DESC' else '' end
         end as text
  from live
  cross join lateral unnest(live.indkey::int2[], live.indclass::oid[], live.indcollation::oid[], live.indoption::int2[])
    with ordinality u(att, opclass, coll, opt, n)
  left join pg_attribute a on a.attrelid = live.indrelid and a.attnum = u.att
  left join pg_attribute ia on ia.attrelid = live.indexrelid and ia.attnum = u.n and ia.attoptions is not null
  left join pg_type ty on ty.oid = a.atttypid
  left join operators o on o.oid = u.opclass
  left join operators exact on exact.opcdefault and exact.opcmethod = o.opcmethod and exact.oid <> o.oid
    and exact.opcintype = coalesce(nullif(ty.typbasetype, 0), ty.oid)
), keys as (
  select indexrelid,
         array_agg(text order by n) filter (where not included) as keys,
         coalesce(array_agg(text order by n) filter (where included), '{}') as include
  from elements
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
