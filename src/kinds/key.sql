-- Of the constraints of one type, which the `with` before this names.
select k.oid, k.conrelid, 0, null::oid, null::text,
       k.conname::text,
       i.indkey::int2[],
       i.indnkeyatts::int4,
       [[15: i.indnullsnotdistinct | false]],
       [[18: k.conperiod | false]],
       k.condeferrable,
       k.condeferred,
       c.reloptions
from (
  select * from pg_constraint where contype = (select contype from wanted) offset 0
) k
join pg_index i on i.indexrelid = k.conindid
join pg_class c on c.oid = k.conindid
where k.connamespace = any ($1)
  and k.conislocal and k.coninhcount = 0 and k.conparentid = 0
