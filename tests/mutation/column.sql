-- Columns.

-- class: default changed
select format('alter table %s alter %s set default %s', tq, q, pg_temp.value(type)),
       format('alter table %s alter %s set default %s', tq, q, "default"), array['changed[default] ' || at]
from col where "default" is not null and generated = '' and pg_temp.value(type) is not null

-- class: default dropped
select format('alter table %s alter %s drop default', tq, q), format('alter table %s alter %s set default %s', tq, q, "default"),
       array['changed[default] ' || at]
from col where "default" is not null and generated = ''

-- class: default added
select format('alter table %s alter %s set default %s', tq, q, pg_temp.value(type)), format('alter table %s alter %s drop default', tq, q),
       array['changed[default] ' || at]
from col where "default" is null and generated = '' and identity = '' and pg_temp.value(type) is not null

-- class: not null dropped
select format('alter table %s alter %s drop not null', tq, q), format('alter table %s alter %s set not null', tq, q),
       array['changed[not_null] ' || at]
from col
where not_null and identity = '' and not in_primary_key
  -- One with a name of its own has two things to report.
  and not exists (select from pg_constraint k where k.conrelid = rel and k.contype = 'n' and k.conname like 'named:%')

-- class: not null set
select format('alter table %s alter %s set not null', tq, q), format('alter table %s alter %s drop not null', tq, q),
       array['changed[not_null] ' || at]
from col where not not_null and generated <> 'v' and pg_temp.number(format('select count(*) from %s where %s is null', tq, q)) = 0

-- class: not null renamed (18)
select format('alter table %s rename constraint %I to mutated', tq, k.conname), format('alter table %s rename constraint mutated to %I', tq, k.conname),
       array['changed[name of not_null] ' || at]
from col join pg_constraint k on k.conrelid = rel and k.contype = 'n' and k.conkey = array[n]

-- class: not null for new rows alone (18)
select format('alter table %1$s drop constraint %3$I; alter table %1$s add constraint %3$I not null %2$s not valid', tq, q, k.conname),
       format('alter table %s validate constraint %I', tq, k.conname), array['changed[not_null not valid] ' || at]
from col join pg_constraint k on k.conrelid = rel and k.contype = 'n' and k.conkey = array[n]
where identity = '' and not in_primary_key

-- class: column added
select format('alter table %s add mutated integer', q), format('alter table %s drop mutated', q), array['extra ' || at || '/column mutated']
from tab

-- class: column added with everything
select format('alter table %s add mutated integer not null default 1 check (mutated > 0) unique', q), format('alter table %s drop mutated', q),
       array['extra ' || at || '/column mutated', 'extra ' || at || '/check ' || split_part(at, '/table ', 2) || '_mutated_check',
             'extra ' || at || '/unique ' || split_part(at, '/table ', 2) || '_mutated_key']
from tab where t ~ '^[a-z_]{1,40}$' and pg_temp.number(format('select count(*) from %s', q)) < 2

-- class: column dropped
select format('alter table %s drop %s', tq, q), null, array['missing ' || at]
from col
where not viewed and not keyed and not said
  and not exists (select from used u join pg_class c on c.oid = u.objid and c.relkind = 'S' where u.rel = col.rel and u.n = col.n and u.deptype = 'a')

-- class: column dropped with its sequence
select format('alter table %s drop %s', tq, col.q), null, array['missing ' || col.at, 'missing ' || r.at]
from col join used u on u.rel = col.rel and u.n = col.n and u.deptype = 'a' join rel r on r.oid = u.objid and r.kind = 'S'
where not viewed and not keyed

-- class: column dropped with what is on it
select format('alter table %s drop %s', tq, q), null,
       array['missing ' || at] || array(select 'missing ' || k.at from con k where k.rel = col.rel and n = any (k.columns))
       || array(select 'missing ' || i.at from idx i where i.rel = col.rel and n = any (i.columns))
       || array(select 'missing ' || r.at from used u join rel r on r.oid = u.objid and r.kind = 'S'
                where u.rel = col.rel and u.n = col.n and u.deptype = 'a')
from col
where keyed and not viewed and not referenced and not said
  and not exists (select from idx i where i.rel = col.rel and (i.expressive or i.partial or i.replica))
  and not exists (select from con k where k.rel = col.rel and k.type = 'x')

-- class: column renamed
select format('alter table %s rename %s to mutated', tq, q), format('alter table %s rename mutated to %s', tq, q),
       array['missing ' || at, 'extra ' || tat || '/column mutated']
from col
where not viewed and not keyed and identity = '' and not said
  and not exists (select from used u join pg_class c on c.oid = u.objid and c.relkind = 'S' where u.rel = col.rel and u.n = col.n)

-- class: column renamed with what is on it
select format('alter table %s rename %s to mutated', tq, q), format('alter table %s rename mutated to %s', tq, q),
       array['missing ' || at, 'extra ' || tat || '/column mutated']
       || array(select 'changed[columns] ' || k.at from con k where k.rel = col.rel and k.type in ('p', 'u', 'f') and n = any (k.columns))
       || array(select 'changed[referenced columns] ' || k.at from con k join pg_constraint f on f.oid = k.oid
                where f.confrelid = col.rel and n = any (f.confkey))
       || array(select 'changed[keys] ' || i.at from idx i where i.rel = col.rel and n = any (i.columns))
from col
where keyed and not viewed and identity = '' and not said
  and not exists (select from used u join pg_class c on c.oid = u.objid and c.relkind = 'S' where u.rel = col.rel and u.n = col.n)
  and not exists (select from idx i where i.rel = col.rel and (i.expressive or i.partial or i.keys < i.width))
  and not exists (select from con k where k.rel = col.rel and (k.type in ('x', 'c') or k.definition ~ 'INCLUDE|SET') and n = any (k.columns))
  -- Of a key that refers to its own table both sides change.
  and not exists (select from con k where k.rel = col.rel and k.confrelid = col.rel)

-- class: type changed
select format('alter table %s alter %s type %s using null', tq, q, case type::text when 'uuid' then 'text' else 'uuid' end), null,
       array['changed[type] ' || at]
from col
where not viewed and not keyed and not said and not not_null and "default" is null and generated = '' and identity = '' and not collated and storage = typstorage
  and compression = '' and typtype = 'b'

-- class: type longer
select format('alter table %s alter %s type character varying(%s)', tq, q, modifier + 1),
       format('alter table %s alter %s type character varying(%s)', tq, q, modifier - 4), array['changed[type] ' || at]
from col where not viewed and type::text = 'character varying' and modifier > 4 and not collated and storage = typstorage and generated = ''

-- class: type wider
select format('alter table %s alter %s type bigint', tq, q), format('alter table %s alter %s type integer', tq, q), array['changed[type] ' || at]
from col where not viewed and not keyed and type::text = 'integer' and "default" is null and identity = '' and generated = ''

-- class: collation changed
select format('alter table %s alter %s type %s collate pg_catalog."C"', tq, q, printed), format('alter table %s alter %s type %s', tq, q, printed),
       array['changed[collation] ' || at]
from col where not viewed and not keyed and collatable and not collated and generated = '' and typtype = 'b'

-- class: storage changed
select format('alter table %s alter %s set storage external', tq, q), format('alter table %s alter %s set storage %s', tq, q,
              case storage when 'm' then 'main' when 'p' then 'plain' else 'extended' end), array['changed[storage] ' || at]
from col where typstorage = 'x' and storage <> 'e'

-- class: statistics changed
select format('alter table %s alter %s set statistics 77', tq, q), format('alter table %s alter %s set statistics %s', tq, q, statistics),
       array['changed[statistics] ' || at]
from col where generated <> 'v'

-- class: compression changed
select format('alter table %s alter %s set compression pglz', tq, q), format('alter table %s alter %s set compression default', tq, q),
       array['changed[compression] ' || at]
from col where typstorage = 'x' and compression = '' and generated <> 'v'

-- class: identity generated otherwise
select format('alter table %s alter %s set generated %s', tq, q, case identity when 'a' then 'by default' else 'always' end),
       format('alter table %s alter %s set generated %s', tq, q, case identity when 'a' then 'always' else 'by default' end),
       array['changed[identity.always] ' || at]
from col where identity <> ''

-- class: identity counts otherwise
select format('alter table %s alter %s set increment by 13', tq, q), null, array['changed[identity.options] ' || at]
from col where identity <> ''

-- class: sequence of an identity renamed
select format('alter sequence %s rename to mutated', r), format('alter sequence %s.mutated rename to %I', relnamespace::regnamespace, relname),
       array['changed[identity.sequence] ' || at]
from (select at, pg_get_serial_sequence(tq, c)::regclass as r from col where identity <> '') i join pg_class on pg_class.oid = r

-- class: identity dropped
select format('alter table %s alter %s drop identity', tq, q), null, array['changed[identity] ' || at]
from col where identity <> ''

-- class: identity added
select format('alter table %s alter %s add generated always as identity', tq, q), format('alter table %s alter %s drop identity', tq, q),
       array['changed[identity] ' || at]
from col where identity = '' and not_null and "default" is null and generated = '' and type::text in ('integer', 'bigint', 'smallint')

-- class: generated otherwise (17)
select format('alter table %s alter %s set expression as (null)', tq, q), null, array['changed[generated.as] ' || at]
from col where generated <> '' and not keyed and not not_null

-- class: generated no more
select format('alter table %s alter %s drop expression', tq, q), null, array['changed[generated] ' || at]
from col where generated = 's'
