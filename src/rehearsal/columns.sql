with recursive base (relation, number, type, modifier, sort) as (
  select a.attrelid, a.attnum, t.oid, a.atttypmod, t.typtype
  from pg_attribute a join pg_type t on t.oid = a.atttypid
  where a.attrelid = any ($1) and a.attnum > 0 and not a.attisdropped
  union all
  select b.relation, b.number, u.oid, t.typtypmod, u.typtype
  from base b join pg_type t on t.oid = b.type join pg_type u on u.oid = t.typbasetype
  where b.sort = 'd'
)
select a.attrelid, a.attname::text, format_type(a.atttypid, a.atttypmod),
       a.attnotnull or exists (select from base d join pg_type t on t.oid = d.type
                               where d.relation = a.attrelid and d.number = a.attnum and t.typnotnull),
       a.atthasdef and a.attgenerated = '', a.attidentity <> '', a.attgenerated <> '',
       t.typname::text, b.modifier, e.typname::text,
       (select array_agg(l.enumlabel::text order by l.enumsortorder) from pg_enum l
        where l.enumtypid = coalesce(e.oid, t.oid))
from base b
join pg_attribute a on a.attrelid = b.relation and a.attnum = b.number
join pg_type t on t.oid = b.type
left join pg_type e on e.oid = t.typelem and t.typcategory = 'A'
where b.sort <> 'd'
order by a.attrelid, a.attnum
