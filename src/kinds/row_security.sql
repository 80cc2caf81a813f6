select c.oid, c.oid, -1, null::oid, null::text,
       c.relrowsecurity, c.relforcerowsecurity
from pg_class c
where c.relnamespace = any ($1) and c.relkind = 'r' and (c.relrowsecurity or c.relforcerowsecurity)
