select c.conrelid, c.conname::text, c.contype::text,
       (select array_agg(a.attname::text order by k.at) from unnest(c.conkey) with ordinality k (number, at)
        join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.number),
       c.confrelid,
       (select array_agg(a.attname::text order by k.at) from unnest(c.confkey) with ordinality k (number, at)
        join pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.number),
       pg_get_constraintdef(c.oid)
from pg_constraint c
where c.conrelid = any ($1) and c.contype in ('c', 'f', 'p', 'u')
order by c.conrelid, cardinality(c.conkey) desc, c.conname
