select c.oid, c.relnamespace, 0, c.relowner, c.relacl::text,
       c.relname::text,
       pg_get_viewdef(c.oid),
       a.names, a.types,
       case when c.reloptions is null and tc.reloptions is null then null
            else array(select o from unnest(c.reloptions) o union all select 'toast.' || o from unnest(tc.reloptions) o) end,
       case when am.amname <> 'heap' then am.amname::text end,
       c.relispopulated
from (
  -- There are fewer rules than relations.
  select ev_class from pg_rewrite where rulename = '_RETURN'
) r
cross join lateral (select * from pg_class where oid = r.ev_class offset 0) c
left join pg_class tc on tc.oid = c.reltoastrelid
left join pg_am am on am.oid = c.relam
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
  where k.relnamespace = any ($1) and k.relkind = 'm' and r.rulename = '_RETURN' and a.attnum > 0 and not a.attisdropped
  group by a.attrelid
) a on a.attrelid = c.oid
where c.relnamespace = any ($1) and c.relkind = 'm'
