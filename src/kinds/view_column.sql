select a.attrelid, a.attrelid, a.attnum::int4, null::oid, a.attacl::text,
       a.attname::text,
       coalesce(nullif(t.typbasetype, 0), t.oid),
       a.attcollation,
       case when a.atthasdef then pg_get_expr(d.adbin, d.adrelid) end
from pg_rewrite r
-- There are fewer rules than relations.
cross join lateral (select * from pg_class where oid = r.ev_class offset 0) c
join pg_attribute a on a.attrelid = c.oid
join pg_type t on t.oid = a.atttypid
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where r.rulename = '_RETURN' and c.relnamespace = any ($1) and c.relkind in ('v', 'm') and a.attnum > 0 and not a.attisdropped
