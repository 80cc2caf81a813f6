-- Of the constraints of one type, which the `with` before this names.
select k.oid, k.conrelid, 0, null::oid, null::text,
       k.conname::text,
       held.columns,
       held.include,
       [[15: i.indnullsnotdistinct | false]],
       [[18: k.conperiod | false]],
       k.condeferrable,
       k.condeferred,
       c.reloptions
from (
  -- Sorted once, not once per aggregate and group.
  select a.oid, array_agg(a.attname) filter (where not a.included) as columns,
         coalesce(array_agg(a.attname) filter (where a.included), '{}') as include
  from (
    select u.oid, u.n > u.indnkeyatts as included, a.attname::text
    from (
      select k.oid, k.conrelid, i.indnkeyatts, u.att, u.n
      from pg_constraint k
      join pg_class t on t.oid = k.conrelid
      join pg_index i on i.indexrelid = k.conindid
      cross join lateral unnest(i.indkey::int2[]) with ordinality u(att, n)
      where t.relnamespace = any ($1) and t.relkind = 'r'
        and k.contype = (select contype from wanted) and k.conislocal and k.coninhcount = 0 and k.conparentid = 0
      offset 0
    ) u
    join pg_attribute a on a.attrelid = u.conrelid and a.attnum = u.att
    order by u.oid, u.n
  ) a
  group by a.oid
) held
join pg_constraint k on k.oid = held.oid
join pg_index i on i.indexrelid = k.conindid
join pg_class c on c.oid = k.conindid
