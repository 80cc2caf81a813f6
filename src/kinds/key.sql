select k.*
from (
  select k.oid, k.conrelid, 0, null::oid, null::text,
         k.conname::text,
         array_agg(a.attname::text order by k.n) filter (where k.n <= k.indnkeyatts),
         coalesce(array_agg(a.attname::text order by k.n) filter (where k.n > k.indnkeyatts), '{}'),
         bool_or(k.nulls_not_distinct),
         bool_or(k.without_overlaps),
         k.condeferrable,
         k.condeferred,
         k.reloptions,
         k.contype
  from (
    select k.oid, k.conrelid, k.conname, k.condeferrable, k.condeferred, k.contype, i.indnkeyatts, c.reloptions, u.att, u.n,
           [[15: i.indnullsnotdistinct | false]] as nulls_not_distinct,
           [[18: k.conperiod | false]] as without_overlaps
    from pg_constraint k
    join pg_class t on t.oid = k.conrelid
    join pg_index i on i.indexrelid = k.conindid
    join pg_class c on c.oid = i.indexrelid
    cross join lateral unnest(i.indkey::int2[]) with ordinality u(att, n)
    where t.relnamespace = any ($1) and t.relkind = 'r'
      and k.contype in ('p', 'u') and k.conislocal and k.coninhcount = 0 and k.conparentid = 0
    offset 0
  ) k
  join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.att
  group by k.oid, k.conrelid, k.conname, k.condeferrable, k.condeferred, k.contype, k.reloptions
) k
where k.contype = 
