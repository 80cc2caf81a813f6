-- Enums and domains.

-- class: label added
select format('alter type %s add value ''mutated''', q), null, array['changed[values] ' || at] from typ where kind = 'e'

-- class: label added in between
select format('alter type %s add value ''mutated'' before %L', q, enumlabel), null, array['changed[values] ' || at]
from typ join pg_enum e on e.enumtypid = typ.oid where kind = 'e'

-- class: label renamed
select format('alter type %s rename value %L to ''mutated''', q, enumlabel), format('alter type %s rename value ''mutated'' to %L', q, enumlabel),
       array['changed[values] ' || at]
       || array(select 'changed[default] ' || col.at from col where col."default" like '%' || quote_literal(enumlabel) || '::' || typ.q)
from typ join pg_enum e on e.enumtypid = typ.oid
where kind = 'e' and enumlabel ~ '^[a-z_]{2,}$'
  and not exists (select from col where said and col.type = typ.oid)
  -- Whatever else holds the label as a constant changes with it.
  and not exists (select from pg_depend d where d.refclassid = 'pg_type'::regclass and d.refobjid = typ.oid and d.deptype = 'n'
                  and d.classid in ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass, 'pg_constraint'::regclass,
                                    'pg_proc'::regclass))
  and not exists (select from idx where (partial or expressive) and def like '%' || enumlabel || '%')
  and not exists (select from col where "default" like '%' || enumlabel || '%' and "default" not like '%' || quote_literal(enumlabel) || '::' || typ.q)

-- class: enum dropped
select format('drop type %s', q), null, array['missing ' || at] from typ where kind = 'e' and not needed

-- class: enum added
select format('create type %s.mutated as enum (''a'')', q), format('drop type %s.mutated', q), array['extra ' || at || '/enum mutated'] from owned

-- class: enum renamed
select format('alter type %s rename to mutated', q), format('alter type %s.mutated rename to %I', quote_ident(s), name),
       array['missing ' || at, 'extra ' || pg_temp.named('schema', s) || '/enum mutated']
from typ where kind = 'e' and not needed

-- class: domain dropped
select format('drop domain %s', q), null, array['missing ' || at] from typ where kind = 'd' and not needed

-- class: domain added
select format('create domain %s.mutated as integer', q), format('drop domain %s.mutated', q), array['extra ' || at || '/domain mutated'] from owned

-- class: domain constraint dropped
select format('alter domain %s drop constraint %I', q, k.conname),
       format('alter domain %s add constraint %I %s%s', q, k.conname, pg_get_constraintdef(k.oid), pg_temp.commented(
              format('constraint %I on domain %s', k.conname, q), 'pg_constraint', k.oid)),
       array[format('changed[checks%s] ', case when checks > 1 then '.' || k.conname else '' end) || at]
from typ join pg_constraint k on k.contypid = typ.oid and k.contype = 'c'

-- class: domain constraint added
select format('alter domain %s add constraint mutated check (1 = 1)', q), format('alter domain %s drop constraint mutated', q),
       array[format('changed[checks%s] ', case when checks > 0 then '.mutated' else '' end) || at]
from typ where kind = 'd'

-- class: domain constraint renamed
select format('alter domain %s rename constraint %I to mutated', q, k.conname), format('alter domain %s rename constraint mutated to %I', q, k.conname),
       array[format('changed[%s] ', (select string_agg('checks.' || n, ',' order by n collate "C") from unnest(array['mutated', k.conname::text]) n)) || at]
from typ join pg_constraint k on k.contypid = typ.oid and k.contype = 'c'

-- class: domain constraint says something else
select format('alter domain %1$s drop constraint %2$I; alter domain %1$s add constraint %2$I check (1 = 1)', q, k.conname), null,
       array[format('changed[checks.%s.expression] ', k.conname) || at]
from typ join pg_constraint k on k.contypid = typ.oid and k.contype = 'c'
where k.convalidated and not exists (select from pg_description d where d.classoid = 'pg_constraint'::regclass and d.objoid = k.oid)

-- class: domain constraint not valid
select format('alter domain %1$s drop constraint %2$I; alter domain %1$s add constraint %2$I %3$s not valid', q, k.conname, pg_get_constraintdef(k.oid)),
       format('alter domain %s validate constraint %I', q, k.conname), array[format('changed[checks.%s.not_valid] ', k.conname) || at]
from typ join pg_constraint k on k.contypid = typ.oid and k.contype = 'c'
where k.convalidated and not exists (select from pg_description d where d.classoid = 'pg_constraint'::regclass and d.objoid = k.oid)

-- class: domain default changed
select format('alter domain %s set default %s', q, pg_temp.value(base)), case when "default" is null then format('alter domain %s drop default', q)
              else format('alter domain %s set default %s', q, "default") end, array['changed[default] ' || at]
from typ where kind = 'd' and pg_temp.value(base) is not null

-- class: domain default dropped
select format('alter domain %s drop default', q), format('alter domain %s set default %s', q, "default"), array['changed[default] ' || at]
from typ where kind = 'd' and "default" is not null

-- class: domain not null dropped or set
select format('alter domain %s %s not null', q, case when not_null then 'drop' else 'set' end),
       format('alter domain %s %s not null', q, case when not_null then 'set' else 'drop' end), array['changed[not_null] ' || at]
from typ where kind = 'd'
