select n.oid, 0::oid, 0, n.nspowner, n.nspacl::text, n.nspname::text
from pg_namespace n
where n.oid = any ($1)
