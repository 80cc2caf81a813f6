select t.oid, t.typnamespace, 0, t.typowner, t.typacl::text,
       t.typname::text,
       coalesce(e.labels, '{}'::text[])
from pg_type t
left join (select enumtypid, array_agg(enumlabel::text order by enumsortorder) as labels
           from pg_enum group by enumtypid) e on e.enumtypid = t.oid
where t.typtype = 'e' and t.typnamespace = any ($1)
