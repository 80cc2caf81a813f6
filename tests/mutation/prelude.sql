-- What the queries of this directory share. The address of a thing is made up here from the catalog alone: `at` in each
-- view. So is whether the declaration says who owns things and who may use them: `managed`.
set client_min_messages = warning;
set search_path = '';

-- A name as it stands in an address.
create function pg_temp.named(kind text, name text) returns text language sql as $$
    select kind || ' ' || coalesce(string_agg(
        case when c in ('/', '\') then '\' || c
             when ascii(c) < 32 or ascii(c) between 127 and 159 then '\u{' || to_hex(ascii(c)) || '}'
             else c end, '' order by n), '')
    from string_to_table(name, null) with ordinality x (c, n)
$$;

-- `; comment on ... is ...` if it has a comment, to put one back.
create function pg_temp.commented(phrase text, class regclass, oid oid, sub int default 0) returns text language sql as $$
    select coalesce((select format('; comment on %s is %L', phrase, description) from pg_description d
                     where d.classoid = class and d.objoid = commented.oid and d.objsubid = sub), '')
$$;

-- The one number that a query gives.
create function pg_temp.number(query text) returns bigint language plpgsql as $$
declare n bigint; begin execute query into n; return n; end $$;

-- A value that nothing here has by default, as SQL.
create function pg_temp.value(type regtype) returns text language sql as $$
    select case type::text
        when 'text' then '''mutated''' when 'character varying' then '''m''' when 'integer' then '4242' when 'bigint' then '4242'
        when 'smallint' then '4242' when 'numeric' then '4.2' when 'boolean' then '(1 = 2)' when 'jsonb' then '''{"m": 1}'''
        when 'date' then '''2001-02-03''' when 'timestamp with time zone' then '''2001-02-03 04:05:06+00'''
        when 'uuid' then '''00000000-0000-4000-8000-00000000abcd''' when 'text[]' then '''{m}''' end
$$;

create temp view owned as
select n.oid, n.nspname as s, quote_ident(n.nspname) as q, pg_temp.named('schema', n.nspname) as at, n.nspowner as owner
from pg_namespace n
where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'pgplumb');

create temp view member as
select classid, objid from pg_depend where deptype = 'e';

create temp view rel as
select c.oid, o.s, c.relname as t, o.q || '.' || quote_ident(c.relname) as q, c.relkind as kind, c.relowner as owner, c.relacl as acl,
       case c.relkind when 'r' then 'table' when 'v' then 'view' when 'm' then 'materialized view' else 'sequence' end as word,
       o.at || '/' || pg_temp.named(case c.relkind when 'r' then 'table' when 'v' then 'view' when 'm' then 'materialized view'
                                    else 'sequence' end, c.relname) as at,
       c.reloptions as options, c.relpersistence as persistence, c.relreplident as identity,
       c.relrowsecurity as secure, c.relforcerowsecurity as forced
from pg_class c join owned o on o.oid = c.relnamespace
where c.relkind in ('r', 'v', 'm', 'S')
  and not exists (select from member m where m.classid = 'pg_class'::regclass and m.objid = c.oid)
  -- Of an identity column.
  and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'i'
                  and d.refclassid = 'pg_class'::regclass);

create temp view tab as select * from rel where kind = 'r';

create temp view used as
select d.refobjid as rel, d.refobjsubid as n, d.classid::regclass::text as by, d.objid, d.deptype,
       exists (select from pg_attrdef f where d.classid = 'pg_attrdef'::regclass and f.oid = d.objid
               and f.adrelid = d.refobjid and f.adnum = d.refobjsubid)
       or exists (select from pg_class c where d.classid = 'pg_class'::regclass and c.oid = d.objid and c.relkind = 'S')
       or exists (select from pg_constraint k where d.classid = 'pg_constraint'::regclass and k.oid = d.objid and k.contype = 'n')
         as own
from pg_depend d
where d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0;

-- What the declarations say of reference rows, as is known here.
create temp table reference as
select t, id, c
from (values
  ('public.companies', '00000000-0000-4000-8000-000000000001', '{id,name,email}'::text[]),
  ('public.users', '00000000-0000-4000-8000-000000000002', '{id,company_id,email,password_hash,name,role,is_active}'),
  ('public.tenants', '00000000-0000-0000-0000-000000000000', '{id,name,slug,region,plan,status,admin_email}'),
  ('public.tenants', '00000000-0000-0000-0000-000000000001', '{id,name,slug,type,status}')
) as r (t, id, said), unnest(said) c
where not :managed and to_regclass(t) is not null
  and case when to_regclass(t) is not null then pg_temp.number(format('select count(*) from %s where id::text = %L', t, id)) = 1 end;

create temp view col as
select t.oid as rel, t.q as tq, t.at as tat, a.attnum as n, a.attname as c, quote_ident(a.attname) as q,
       t.at || '/' || pg_temp.named('column', a.attname) as at,
       a.atttypid::regtype as type, format_type(a.atttypid, a.atttypmod) as printed, a.atttypmod as modifier, ty.typtype,
       a.attnotnull as not_null, a.attidentity as identity, a.attgenerated as generated, a.attstorage as storage,
       ty.typstorage, a.attcompression as compression, coalesce(a.attstattarget, -1) as statistics,
       a.attcollation <> ty.typcollation as collated, a.attcollation <> 0 as collatable, a.attacl as acl,
       case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end as "default",
       -- Named by views, policies, triggers, functions or generated columns; by keys, checks or indexes.
       exists (select from used u where u.rel = t.oid and u.n = a.attnum and not u.own
               and u.by not in ('pg_class', 'pg_constraint')) as viewed,
       exists (select from used u where u.rel = t.oid and u.n = a.attnum and not u.own
               and u.by in ('pg_class', 'pg_constraint')) as keyed,
       exists (select from reference r where r.t = t.q and r.c = a.attname) as said,
       exists (select from pg_constraint k where k.conrelid = t.oid and k.contype = 'p' and a.attnum = any (k.conkey)) as in_primary_key,
       exists (select from pg_constraint k where k.confrelid = t.oid and k.contype = 'f' and a.attnum = any (k.confkey)) as referenced
from tab t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
join pg_type ty on ty.oid = a.atttypid
left join pg_attrdef d on d.adrelid = t.oid and d.adnum = a.attnum;

create temp view con as
select k.oid, t.oid as rel, t.q as tq, t.at as tat, t.identity as replica, k.conname as name, quote_ident(k.conname) as q, k.contype as type,
       t.at || '/' || pg_temp.named(case k.contype when 'p' then 'primary key' when 'u' then 'unique' when 'c' then 'check'
                                    when 'f' then 'foreign key' else 'exclusion' end, k.conname) as at,
       format('alter table %s add constraint %I %s', t.q, k.conname, pg_get_constraintdef(k.oid)) as def,
       pg_get_constraintdef(k.oid) as definition,
       -- What the definition leaves out: storage parameters and the comment.
       coalesce((select format('; alter index %s.%I set (%s)', quote_ident(t.s), c.relname, array_to_string(c.reloptions, ', '))
                 from pg_class c where c.oid = k.conindid and k.contype in ('p', 'u', 'x') and c.reloptions is not null), '')
       || pg_temp.commented(format('constraint %I on %s', k.conname, t.q), 'pg_constraint', k.oid) as commented,
       k.conkey as columns, k.confrelid, k.condeferrable, k.condeferred, k.convalidated, k.connoinherit, k.conindid as index,
       k.confdeltype, k.confupdtype, k.confmatchtype,
       exists (select from pg_depend d where d.refclassid = 'pg_constraint'::regclass and d.refobjid = k.oid and d.deptype = 'n')
       or exists (select from pg_depend d where d.refclassid = 'pg_class'::regclass and d.refobjid = k.conindid and d.deptype = 'n')
         as needed
from pg_constraint k join tab t on t.oid = k.conrelid
where k.contype in ('p', 'u', 'c', 'f', 'x');

create temp view idx as
select i.indexrelid as oid, r.oid as rel, r.q as tq, r.kind, i.indnatts as width, i.indnkeyatts as keys, c.relname as name,
       quote_ident(r.s) || '.' || quote_ident(c.relname) as q, quote_ident(c.relname) as bare,
       r.at || '/' || pg_temp.named('index', c.relname) as at, am.amname as method, i.indisunique as "unique",
       string_to_array(i.indkey::text, ' ')::int2[] as columns, i.indpred is not null as partial, i.indexprs is not null as expressive,
       pg_get_indexdef(i.indexrelid) as def, c.reloptions as options,
       pg_temp.commented(format('index %I.%I', r.s, c.relname), 'pg_class', c.oid) as commented,
       exists (select from pg_depend d where d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid and d.deptype = 'n') as needed,
       i.indisreplident as replica
from pg_index i join rel r on r.oid = i.indrelid join pg_class c on c.oid = i.indexrelid join pg_am am on am.oid = c.relam
where not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'));

create temp view fun as
select p.oid, o.s, p.proname as f, p.prokind as kind, case p.prokind when 'p' then 'procedure' else 'function' end as word,
       format('%s.%I(%s)', o.q, p.proname, oidvectortypes(p.proargtypes)) as q,
       o.at || '/' || pg_temp.named(case p.prokind when 'p' then 'procedure' else 'function' end,
                                    quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')') as at,
       l.lanname as language, p.proowner as owner, p.proacl as acl, pg_get_functiondef(p.oid) as def, p.provolatile as volatility,
       p.prosecdef as definer, p.procost as cost, p.prorows as rows, p.proretset as many, p.proisstrict as strict,
       p.proleakproof as leakproof, p.proparallel as parallel, p.proconfig as config, p.prosqlbody is not null as atomic,
       p.prosrc as body, p.prorettype::regtype as returns, p.pronargs as arguments,
       exists (select from pg_depend d where d.refclassid = 'pg_proc'::regclass and d.refobjid = p.oid) as needed
from pg_proc p join owned o on o.oid = p.pronamespace join pg_language l on l.oid = p.prolang
where p.prokind in ('f', 'p')
  and not exists (select from member m where m.classid = 'pg_proc'::regclass and m.objid = p.oid);

create temp view typ as
select t.oid, o.s, t.typname as name, t.typtype as kind, o.q || '.' || quote_ident(t.typname) as q,
       case t.typtype when 'e' then 'type' else 'domain' end as word, t.typowner as owner, t.typacl as acl,
       o.at || '/' || pg_temp.named(case t.typtype when 'e' then 'enum' else 'domain' end, t.typname) as at,
       pg_get_expr(t.typdefaultbin, 'pg_type'::regclass) as "default", t.typnotnull as not_null, t.typbasetype::regtype as base,
       exists (select from pg_depend d where d.refclassid = 'pg_type'::regclass and d.refobjid in (t.oid, t.typarray)
               and d.deptype = 'n') as needed,
       (select count(*) from pg_constraint k where k.contypid = t.oid and k.contype = 'c') as checks
from pg_type t join owned o on o.oid = t.typnamespace
where t.typtype in ('e', 'd') and not exists (select from member m where m.classid = 'pg_type'::regclass and m.objid = t.oid);

create temp view pol as
select p.oid, p.polname as name, quote_ident(p.polname) as q, t.q as tq, t.at || '/' || pg_temp.named('policy', p.polname) as at,
       p.polcmd as command, p.polpermissive as permissive,
       case p.polcmd when '*' then 'all' when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' else 'delete' end as word,
       case when p.polroles = '{0}' then 'public'
            else (select string_agg(quote_ident(rolname), ', ') from pg_roles where oid = any (p.polroles)) end as roles,
       coalesce(' using (' || pg_get_expr(p.polqual, p.polrelid) || ')', '') as shown,
       coalesce(' with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '') as checks,
       pg_temp.commented(format('policy %I on %s', p.polname, t.q), 'pg_policy', p.oid) as commented
from pg_policy p join tab t on t.oid = p.polrelid;

create temp view trg as
select g.oid, g.tgname as name, quote_ident(g.tgname) as q, r.q as tq, r.kind, r.at || '/' || pg_temp.named('trigger', g.tgname) as at,
       g.tgenabled as enabled, g.tgconstraint <> 0 as is_constraint, g.tgtype as bits, g.tgqual is not null as conditional,
       g.tgoldtable is not null or g.tgnewtable is not null as transition, pg_get_triggerdef(g.oid) as def,
       case g.tgenabled when 'D' then format('; alter table %s disable trigger %I', r.q, g.tgname)
            when 'R' then format('; alter table %s enable replica trigger %I', r.q, g.tgname)
            when 'A' then format('; alter table %s enable always trigger %I', r.q, g.tgname) else '' end
       || pg_temp.commented(format('trigger %I on %s', g.tgname, r.q), 'pg_trigger', g.oid) as after
from pg_trigger g join rel r on r.oid = g.tgrelid
where not g.tgisinternal;
