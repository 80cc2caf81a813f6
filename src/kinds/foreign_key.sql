select k.oid, k.conrelid, 0, null::oid, null::text,
       k.conname::text,
       k.conkey,
       k.confrelid,
       k.confkey,
       k.confupdtype::text,
       k.confdeltype::text,
       [[15: k.confdelsetcols | null::int2[] ]],
       k.confmatchtype = 'f',
       k.condeferrable,
       k.condeferred,
       not k.convalidated,
       [[18: not k.conenforced | false]],
       [[18: k.conperiod | false]],
       k.oid in (select g.tgconstraint from pg_trigger g where g.tgisinternal and g.tgenabled <> 'O')
from pg_constraint k
where k.connamespace = any ($1)
  and k.contype = 'f' and k.conislocal and k.coninhcount = 0 and k.conparentid = 0
