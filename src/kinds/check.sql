select k.oid, k.conrelid, 0, null::oid, null::text,
       k.conname::text,
       pg_get_expr(k.conbin, k.conrelid),
       k.connoinherit,
       not k.convalidated,
       [[18: not k.conenforced | false]]
from pg_constraint k
join pg_class t on t.oid = k.conrelid
where t.relnamespace = any ($1) and t.relkind = 'r'
  and k.contype = 'c' and k.conislocal and k.coninhcount = 0 and k.conparentid = 0
