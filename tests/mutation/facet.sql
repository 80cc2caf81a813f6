-- Owners, comments and grants. Where the declaration says nothing of owners and grants, another owner is no difference and a
-- grant is worth a note.

-- class: owner changed
select format('alter %s %s owner to app_user', word, q), null, array['changed[owner] ' || at]
from (
  select word, q, at, owner from rel where kind <> 'S' or not exists (select from used u where u.objid = rel.oid and u.deptype = 'a')
  union all select word, q, at, owner from fun
  union all select word, q, at, owner from typ
  union all select 'schema', q, at, owner from owned
) o
where :managed and owner <> (select r.oid from pg_roles r where r.rolname = 'app_user')
  and not exists (select from rel, aclexplode(acl) a join pg_roles r on r.oid = a.grantee where rel.q = o.q and r.rolname = 'app_user')

-- class: owner changed that nobody declared
select format('alter %s %s owner to app_user', word, q), null, '{}'::text[]
from (select word, q from rel where kind <> 'S' union all select word, q from fun union all select word, q from typ) o
where not :managed

-- class: grant added
select format('grant %s on %s to app_user', privilege, q), format('revoke %s on %s from app_user', privilege, q),
       array['changed[grants to app_user] ' || at]
from rel, lateral (select unnest(case kind when 'S' then '{usage,update}' else '{select,insert,update,delete,truncate,references,trigger}' end::text[]) as privilege) p
where :managed and not exists (select from aclexplode(acl) a where a.grantee = (select r.oid from pg_roles r where r.rolname = 'app_user'))

-- class: grant added for everybody
select format('grant select on %s to public', q), format('revoke select on %s from public', q), array['changed[grants to public] ' || at]
from rel where :managed and not exists (select from aclexplode(acl) a where a.grantee = 0)
  and not exists (select from pg_attribute a where a.attrelid = rel.oid and a.attacl is not null)

-- class: grant added that nobody declared
select format('grant insert on %s to app_user', q), format('revoke insert on %s from app_user', q), array['noted grants on ' || at]
from rel where not :managed and kind <> 'S'

-- class: grant may be passed on
select format('grant %s on %s to %s with grant option', privilege_type, q, coalesce(quote_ident(rolname), 'public')),
       format('revoke grant option for %s on %s from %s', privilege_type, q, coalesce(quote_ident(rolname), 'public')),
       array[format('changed[grants to %s] ', coalesce(rolname, 'public')) || at]
from rel, aclexplode(acl) a join pg_roles r on r.oid = a.grantee
where :managed and grantee <> owner and not is_grantable

-- class: grant revoked
select format('revoke %s on %s from %s', privilege_type, q, coalesce(quote_ident(rolname), 'public')), null,
       array[format('changed[grants to %s] ', coalesce(rolname, 'public')) || at]
       -- What is revoked on the whole is revoked on each column.
       || array(select format('changed[grants to %s] ', coalesce(r.rolname, 'public')) || col.at
                from col, aclexplode(col.acl) c where col.rel = rel.oid and c.grantee = a.grantee and c.privilege_type = a.privilege_type)
from rel, aclexplode(acl) a left join pg_roles r on r.oid = a.grantee
where :managed and grantee <> owner

-- class: owner may no more
select format('revoke %s on %s from %I', case kind when 'S' then 'usage' else 'update' end, q, rolname), null, array[format('changed[grants to %s] ', rolname) || at]
from rel join pg_roles r on r.oid = rel.owner
where :managed and not exists (select from pg_attribute a where a.attrelid = rel.oid and a.attacl is not null)

-- class: column grant added
select format('grant %s (%s) on %s to app_user', privilege, q, tq), format('revoke %s (%s) on %s from app_user', privilege, q, tq),
       array['changed[grants to app_user] ' || at]
from col, unnest('{select,insert,update,references}'::text[]) privilege
where :managed and acl is null

-- class: column grant revoked
select format('revoke %s (%s) on %s from %s', privilege_type, q, tq, coalesce(quote_ident(rolname), 'public')),
       format('grant %s (%s) on %s to %s', privilege_type, q, tq, coalesce(quote_ident(rolname), 'public')),
       array[format('changed[grants to %s] ', coalesce(rolname, 'public')) || at]
from col, aclexplode(acl) a left join pg_roles r on r.oid = a.grantee
where :managed

-- class: routine grant added
select format('grant execute on %s %s to clerk', word, q), format('revoke execute on %s %s from clerk', word, q), array['changed[grants to clerk] ' || at]
from fun where :managed and not exists (select from aclexplode(acl) a join pg_roles r on r.oid = a.grantee where r.rolname = 'clerk')
  and owner <> (select r.oid from pg_roles r where r.rolname = 'clerk')

-- class: routine no more for everybody
select format('revoke execute on %s %s from public', word, q), null, array['changed[grants to public] ' || at]
from fun where :managed and (acl is null or exists (select from aclexplode(acl) a where a.grantee = 0))

-- class: type grant added
select format('grant usage on type %s to clerk', q), format('revoke usage on type %s from clerk', q), array['changed[grants to clerk] ' || at]
from typ where :managed and not exists (select from aclexplode(acl) a join pg_roles r on r.oid = a.grantee where r.rolname = 'clerk')
  and owner <> (select r.oid from pg_roles r where r.rolname = 'clerk')

-- class: type no more for everybody
select format('revoke usage on type %s from public', q), null, array['changed[grants to public] ' || at]
from typ where :managed and (acl is null or exists (select from aclexplode(acl) a where a.grantee = 0))

-- class: schema open to everybody
select format('grant create on schema %s to public', q), format('revoke create on schema %s from public', q), array['changed[grants to public] ' || at]
from owned join pg_namespace n on n.oid = owned.oid
where :managed and not exists (select from aclexplode(nspacl) a where a.grantee = 0 and privilege_type = 'CREATE')

-- class: grant by another than the owner
select format('grant select on %1$s to clerk with grant option; set role clerk; grant select on %1$s to app_user; reset role', q), null,
       array['changed[grants to clerk] ' || at, 'noted app_user=r/clerk on ' || at]
from tab where :managed and not exists (select from aclexplode(acl) a join pg_roles r on r.oid = a.grantee where r.rolname in ('clerk', 'app_user'))
  and owner <> (select r.oid from pg_roles r where r.rolname = 'clerk')

-- class: comment changed
select format('comment on %s is ''mutated''', phrase), format('comment on %s is %L', phrase, description), array['changed[comment] ' || at]
from (
  select word || ' ' || q as phrase, 'pg_class'::regclass as class, oid, 0 as sub, at from rel
  union all select format('column %s.%s', tq, q), 'pg_class', rel, n, at from col
  union all select format('constraint %s on %s', q, tq), 'pg_constraint', oid, 0, at from con
  union all select 'index ' || q, 'pg_class', oid, 0, at from idx
  union all select word || ' ' || q, 'pg_proc', oid, 0, at from fun
  union all select word || ' ' || q, 'pg_type', oid, 0, at from typ
  union all select format('policy %s on %s', q, tq), 'pg_policy', oid, 0, at from pol
  union all select format('trigger %s on %s', q, tq), 'pg_trigger', oid, 0, at from trg
  union all select 'schema ' || q, 'pg_namespace', oid, 0, at from owned
) c left join pg_description d on d.classoid = class and d.objoid = c.oid and d.objsubid = sub
where description is distinct from 'standard public schema'

-- class: comment taken away
select format('comment on %s is null', phrase), format('comment on %s is %L', phrase, description), array['changed[comment] ' || at]
from (
  select word || ' ' || q as phrase, 'pg_class'::regclass as class, oid, 0 as sub, at from rel
  union all select format('column %s.%s', tq, q), 'pg_class', rel, n, at from col
  union all select format('constraint %s on %s', q, tq), 'pg_constraint', oid, 0, at from con
  union all select 'index ' || q, 'pg_class', oid, 0, at from idx
  union all select word || ' ' || q, 'pg_proc', oid, 0, at from fun
  union all select word || ' ' || q, 'pg_type', oid, 0, at from typ
  union all select format('policy %s on %s', q, tq), 'pg_policy', oid, 0, at from pol
  union all select format('trigger %s on %s', q, tq), 'pg_trigger', oid, 0, at from trg
  union all select 'schema ' || q, 'pg_namespace', oid, 0, at from owned
) c join pg_description d on d.classoid = class and d.objoid = c.oid and d.objsubid = sub
where description <> 'standard public schema'

-- class: comment on a column of a view
select format('comment on column %s.%I is ''mutated''', q, attname), format('comment on column %s.%I is null', q, attname),
       array['changed[comment] ' || at || '/' || pg_temp.named('view column', attname)]
from rel join pg_attribute a on a.attrelid = rel.oid and a.attnum > 0
where kind in ('v', 'm') and not atthasdef and not exists (select from pg_description d where d.objoid = rel.oid and d.objsubid > 0)
