select e.oid, 0::oid, 0, null::oid, null::text,
       e.extname::text,
       n.nspname::text
from pg_extension e
join pg_namespace n on n.oid = e.extnamespace
where e.extname <> 'plpgsql'
