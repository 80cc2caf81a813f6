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
       [[18: k.conperiod | false]],
       k.oid in (select g.tgconstraint from pg_trigger g where g.tgisinternal and g.tgenabled <> 'O')
from (
  -- Sorted once, not once per aggregate and group.
  select p.oid, array_agg(p.attname) as columns, array_agg(p.target) as targets
  from (
    select p.oid, a.attname::text, f.attname::text as target
    from (
      select k.oid, k.conrelid, k.confrelid, u.att, u.target, u.n
      from pg_constraint k
      join pg_class t on t.oid = k.conrelid
      cross join lateral unnest(k.conkey, k.confkey) with ordinality u(att, target, n)
      where t.relnamespace = any ($1) and t.relkind = 'r'
        and k.contype = 'f' and k.conislocal and k.coninhcount = 0 and k.conparentid = 0
      offset 0
    ) p
    join pg_attribute a on a.attrelid = p.conrelid and a.attnum = p.att
    join pg_attribute f on f.attrelid = p.confrelid and f.attnum = p.target
    order by p.oid, p.n
  ) p
  group by p.oid
) pairs
join pg_constraint k on k.oid = pairs.oid
join pg_class r on r.oid = k.confrelid
join pg_namespace n on n.oid = r.relnamespace
