-- What follows this says which constraints are meant, and which indexes they have.
select k.oid, k.conrelid, 0, null::oid, null::text,
       k.conname::text,
       i.indkey::int2[],
       i.indnkeyatts::int4,
       [[15: i.indnullsnotdistinct | false]],
       [[18: k.conperiod | false]],
       k.condeferrable,
       k.condeferred,
       c.reloptions
from pg_index i
join pg_constraint k on k.conrelid = i.indrelid and k.conindid = i.indexrelid
join pg_class c on c.oid = k.conindid
where k.connamespace = any ($1) and k.conislocal and k.coninhcount = 0 and k.conparentid = 0
