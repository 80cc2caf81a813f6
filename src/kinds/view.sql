select c.oid, c.relnamespace, 0, c.relowner, c.relacl::text,
       c.relname::text,
       pg_get_viewdef(c.oid),
       a.names, a.types,
       c.reloptions
from pg_class c
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
  where k.relnamespace = any ($1) and k.relkind = 'v' and a.attnum > 0 and not a.attisdropped
  group by a.attrelid
) a on a.attrelid = c.oid
where c.relnamespace = any ($1) and c.relkind = 'v' and c.relpersistence <> 't'
