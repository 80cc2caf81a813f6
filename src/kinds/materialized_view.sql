select c.oid, c.relnamespace, 0, c.relowner, c.relacl::text,
       c.relname::text,
       pg_get_viewdef(c.oid),
       a.names, a.types,
       case when c.reloptions is null and tc.reloptions is null then null
            else array(select o from unnest(c.reloptions) o union all select 'toast.' || o from unnest(tc.reloptions) o) end,
       case when am.amname <> 'heap' then am.amname::text end,
       c.relispopulated
from pg_class c
left join pg_class tc on tc.oid = c.reltoastrelid
left join pg_am am on am.oid = c.relam
left join (
  select a.attrelid,
         array_agg(a.attname::text order by a.attnum) as names,
         array_agg(format_type(a.atttypid, a.atttypmod)
                   || case when a.attcollation <> t.typcollation and a.attcollation <> 0
                           then ' COLLATE ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname) else '' end
                   order by a.attnum) as types
  from pg_attribute a
  join pg_class k on k.oid = a.attrelid
  join pg_type t on t.oid = a.atttypid
  left join pg_collation co on co.oid = a.attcollation
  left join pg_namespace cn on cn.oid = co.collnamespace
  where k.relnamespace = any ($1) and k.relkind = 'm' and a.attnum > 0 and not a.attisdropped
  group by a.attrelid
) a on a.attrelid = c.oid
where c.relnamespace = any ($1) and c.relkind = 'm'
