select p.oid, p.polrelid, 0, null::oid, null::text,
       p.polname::text,
       case p.polcmd when '*' then 'all' when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' else 'delete' end,
       not p.polpermissive,
       case when p.polroles = '{0}' then '{}'::text[]
            else (select array_agg(r.rolname::text order by r.rolname collate "C") from pg_roles r where r.oid = any (p.polroles)) end,
       p.polqual is not null,
       p.polwithcheck is not null
from pg_policy p
where p.polrelid = any ($2)
