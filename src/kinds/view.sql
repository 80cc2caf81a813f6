select c.oid, c.relnamespace, 0, c.relowner, c.relacl::text,
       c.relname::text,
       pg_get_viewdef(c.oid),
       a.names, a.types,
       c.reloptions
from (
  -- There are fewer rules than relations.
  select ev_class from pg_rewrite where rulename = '_RETURN'
) r
cross join lateral (select * from pg_class where oid = r.ev_class offset 0) c
left join (
  select a.attrelid,
         array_agg(a.attname::text order by a.attnum) as names,
         array_agg(format_type(a.atttypid, a.atttypmod)
                   || case when a.attcollation <> t.typcollation and a.attcollation <> 0
                           then ' COLLATE ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname) else '' end
                   order by a.attnum) as types
  from pg_rewrite r
  cross join lateral (select * from pg_class where oid = r.ev_class offset 0) k
  join pg_attribute a on a.attrelid = k.oid
  join pg_type t on t.oid = a.atttypid
  left join pg_collation co on co.oid = a.attcollation
  left join pg_namespace cn on cn.oid = co.collnamespace
  where k.relnamespace = any ($1) and k.relkind = 'v' and r.rulename = '_RETURN' and a.attnum > 0 and not a.attisdropped
  group by a.attrelid
) a on a.attrelid = c.oid
where c.relnamespace = any ($1) and c.relkind = 'v' and c.relpersistence <> 't'
