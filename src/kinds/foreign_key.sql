select k.oid, k.conrelid, 0, null::oid, null::text,
       k.conname::text,
       pairs.columns,
       n.nspname::text,
       r.relname::text,
       pairs.targets,
       k.confupdtype::text,
       k.confdeltype::text,
       case when [[15: k.confdelsetcols is not null | false]] then
         (select array_agg(a.attname::text order by u.n)
          from unnest([[15: k.confdelsetcols | k.conkey]]) with ordinality u(att, n)
          join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.att) end,
       k.confmatchtype = 'f',
       k.condeferrable,
       k.condeferred,
       not k.convalidated,
       [[18: not k.conenforced | false]],
       [[18: k.conperiod | false]]
from pg_constraint k
join pg_class t on t.oid = k.conrelid
join pg_class r on r.oid = k.confrelid
join pg_namespace n on n.oid = r.relnamespace
join (
  select k.oid, array_agg(a.attname::text order by u.n) as columns, array_agg(f.attname::text order by u.n) as targets
  from pg_constraint k
  cross join lateral unnest(k.conkey, k.confkey) with ordinality u(att, target, n)
  join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.att
  join pg_attribute f on f.attrelid = k.confrelid and f.attnum = u.target
  where k.contype = 'f' and k.conparentid = 0
  group by k.oid
) pairs on pairs.oid = k.oid
where t.relnamespace = any ($1) and t.relkind = 'r'
  and k.contype = 'f' and k.conislocal and k.coninhcount = 0 and k.conparentid = 0
