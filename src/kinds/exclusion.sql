select k.oid, k.conrelid, 0, null::oid, null::text,
       k.conname::text,
       substr(pg_get_constraintdef(k.oid), length('EXCLUDE ') + 1)
from pg_constraint k
where k.connamespace = any ($1)
  and k.conrelid in (select indrelid from pg_index where indisexclusion)
  and k.contype = 'x' and k.conislocal and k.coninhcount = 0 and k.conparentid = 0
