select t.oid, t.typnamespace, 0, t.typowner, t.typacl::text,
       t.typname::text,
       format_type(t.typbasetype, t.typtypmod),
       pg_get_expr(t.typdefaultbin, 'pg_type'::regclass),
       t.typnotnull,
       [[17: nn.conname::text | null::text]],
       case when t.typcollation <> b.typcollation and t.typcollation <> 0
            then (select quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
                  from pg_collation co join pg_namespace cn on cn.oid = co.collnamespace where co.oid = t.typcollation) end,
       coalesce(k.names, '{}'::text[]), coalesce(k.expressions, '{}'::text[]), coalesce(k.validated, '{}'::bool[])
from pg_type t
join pg_type b on b.oid = t.typbasetype
left join (select contypid,
                  array_agg(conname::text order by conname) as names,
                  array_agg(pg_get_expr(conbin, 0) order by conname) as expressions,
                  array_agg(convalidated order by conname) as validated
           from pg_constraint
           where contypid <> 0 and contype = 'c' and connamespace = any ($1)
           group by contypid) k on k.contypid = t.oid
[[17: left join pg_constraint nn on nn.contypid = t.oid and nn.contype = 'n' | ]]
where t.typtype = 'd' and t.typnamespace = any ($1)
