-- What changes nothing that was declared.

-- class: analyzed
select format('analyze %s', q), null, '{}'::text[] from tab

-- class: vacuumed
select format('vacuum (full, analyze) %s', q), null, '{}'::text[] from rel where kind in ('r', 'm')

-- class: reindexed
select format('reindex table %s', q), format('reindex table concurrently %s', q), '{}'::text[] from tab

-- class: column dropped and added at the end
select format('alter table %1$s drop %2$s; alter table %1$s add %2$s %3$s%4$s', tq, q, printed, pg_temp.commented(format('column %s.%s', tq, q), 'pg_class', rel, n)),
       null, '{}'::text[]
from col
where not viewed and not keyed and not said and not not_null and "default" is null and generated = '' and identity = '' and not collated and storage = typstorage
  and compression = '' and statistics = -1 and acl is null

-- class: counted on
select format('select nextval(%L), setval(%L, %s)', q, q, seqmin), null, '{}'::text[] from rel join pg_sequence on seqrelid = oid where kind = 'S'

-- class: settings of the database
select format('do $do$ begin execute format(''alter database %%I set %s'', current_database()); end $do$', setting), null, '{}'::text[]
from unnest(array['search_path = nowhere', 'TimeZone = ''Asia/Tokyo''', 'DateStyle = ''German''', 'IntervalStyle = ''iso_8601''',
                  'quote_all_identifiers = on', 'extra_float_digits = -3', 'bytea_output = ''escape''', 'xmloption = document',
                  'default_transaction_read_only = on', 'standard_conforming_strings = off', 'row_security = on']) setting

-- class: default made of its print
select format('alter table %s alter %s set default %s', tq, q, "default"), null, '{}'::text[] from col where "default" is not null and generated = ''

-- class: generated made of its print (17)
select format('alter table %s alter %s set expression as (%s)', tq, q, pg_get_expr(d.adbin, d.adrelid)), null, '{}'::text[]
from col join pg_attrdef d on d.adrelid = col.rel and d.adnum = n where generated <> ''

-- class: constraint made of its print
select format('alter table %s drop constraint %s; ', tq, q) || def || commented, null, '{}'::text[] from con where not needed and replica <> 'i'

-- class: index made of its print
select format('drop index %s; ', q) || def || commented, null, '{}'::text[] from idx where not needed and not replica

-- class: policy made of its print
select format('alter policy %s on %s%s%s', q, tq, shown, checks), null, '{}'::text[] from pol

-- class: trigger made of its print
select format('drop trigger %s on %s; ', q, tq) || def || after, null, '{}'::text[] from trg

-- class: routine made of its print
select def, null, '{}'::text[] from fun

-- class: view made of its print
select format('create or replace view %s%s as %s', q, ' with (' || nullif(array_to_string(options, ', '), '') || ')', pg_get_viewdef(oid)), null, '{}'::text[]
from rel where kind = 'v'

-- class: domain constraint made of its print
select format('alter domain %s drop constraint %I; alter domain %s add constraint %I %s', q, k.conname, q, k.conname, pg_get_constraintdef(k.oid)), null, '{}'::text[]
from typ join pg_constraint k on k.contypid = typ.oid and k.contype = 'c'
where not exists (select from pg_description d where d.classoid = 'pg_constraint'::regclass and d.objoid = k.oid)

-- class: grants said again
select format('grant %s on %s to %s', privilege_type, q, coalesce(quote_ident(rolname), 'public')), null, '{}'::text[]
from rel, aclexplode(acl) a left join pg_roles r on r.oid = a.grantee where grantee <> owner

-- class: something elsewhere
select 'create schema elsewhere; create table elsewhere.a (id int primary key); create function elsewhere.f() returns int language sql as ''select 1''',
       null, '{}'::text[]
