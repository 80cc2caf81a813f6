select c.oid, c.oid, -1, null::oid, null::text,
       c.relrowsecurity, c.relforcerowsecurity
from pg_class c
where c.oid = any ($2) and (c.relrowsecurity or c.relforcerowsecurity)
