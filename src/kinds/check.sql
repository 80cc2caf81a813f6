select k.oid, k.conrelid, 0, null::oid, null::text,
       k.conname::text,
       true,
       k.connoinherit,
       not k.convalidated,
       [[18: not k.conenforced | false]]
from pg_constraint k
where k.connamespace = any ($1)
  and k.contype = 'c' and k.conislocal and k.coninhcount = 0 and k.conparentid = 0
