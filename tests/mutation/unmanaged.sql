-- What no declaration can hold is no difference, and is said.

-- class: clustered
select format('cluster %s using %s', tq, bare), format('alter table %s set without cluster', tq),
       array[format('noted clustering of %s on index %s', tq, q)]
from idx where method = 'btree' and not partial and kind = 'r'

-- class: options of a column
select format('alter table %s alter %s set (n_distinct = 5)', tq, q), format('alter table %s alter %s reset (n_distinct)', tq, q),
       array[format('noted options {n_distinct=5} of column %s.%s', tq, c)]
from col

-- class: grant on the sequence of an identity
select format('grant usage on sequence %s to app_user', r), format('revoke all on sequence %s from app_user', r), array[format('noted grants on %s, of an identity column', r)]
from (select pg_get_serial_sequence(tq, c)::regclass as r from col where identity <> '') i

-- class: comment on the sequence of an identity
select format('comment on sequence %s is ''mutated''', r), format('comment on sequence %s is null', r), array[format('noted comment on %s, of an identity column', r)]
from (select pg_get_serial_sequence(tq, c)::regclass as r from col where identity <> '') i

-- class: comment on a check of a domain
select format('comment on constraint %I on domain %s is ''mutated''', k.conname, q), format('comment on constraint %I on domain %s is null', k.conname, q),
       array[format('noted comment on %s on domain %s', pg_describe_object('pg_constraint'::regclass, k.oid, 0), q)]
from typ join pg_constraint k on k.contypid = typ.oid and k.contype = 'c'

-- class: comment on a not null (18)
select format('comment on constraint %I on %s is ''mutated''', k.conname, q), format('comment on constraint %I on %s is null', k.conname, q),
       array[format('noted comment on %s', pg_describe_object('pg_constraint'::regclass, k.oid, 0))]
from tab join pg_constraint k on k.conrelid = tab.oid and k.contype = 'n'

-- class: not null not inherited (18)
select format('alter table %s alter constraint %I no inherit', q, k.conname), format('alter table %s alter constraint %I inherit', q, k.conname),
       array[format('noted %s, which is not inherited', pg_describe_object('pg_constraint'::regclass, k.oid, 0))]
from tab join pg_constraint k on k.conrelid = tab.oid and k.contype = 'n'
where not exists (select from con c where c.rel = tab.oid and c.type = 'p' and k.conkey <@ c.columns)

-- class: default privileges
select format('alter default privileges in schema %s grant select on tables to public', q),
       format('alter default privileges in schema %s revoke select on tables from public', q),
       array[format('noted default privileges on new relations belonging to role %s in schema %s', current_user, s)]
from owned

-- class: table of a type
select format('create type %s.mutated as (%s); alter table %s of %s.mutated', quote_ident(s), columns, q, quote_ident(s)),
       format('alter table %s not of; drop type %s.mutated', q, quote_ident(s)),
       array[format('noted type %s.mutated of table %s', quote_ident(s), q), format('noted composite type %s.mutated', quote_ident(s))]
from tab join (select rel, string_agg(format('%s %s', col.q, printed), ', ' order by n) as columns from col where not collated group by 1) c on c.rel = tab.oid

-- class: settings of a column of a materialized view
select format('alter materialized view %s alter %I set statistics 50', q, attname), format('alter materialized view %s alter %I set statistics -1', q, attname),
       array[format('noted settings of column %s.%s', q, attname)]
from rel join pg_attribute a on a.attrelid = rel.oid and a.attnum > 0 where kind = 'm'

-- class: rule added
select format('create rule mutated as on delete to %s do also nothing', q), format('drop rule mutated on %s', q), array[format('noted rule mutated on table %s', q)]
from tab

-- class: keys that nothing tests late
select format('alter table %s disable trigger all', q), format('alter table %s enable trigger all', q),
       array(select format('noted triggers of constraint %s on table %s that do not fire', c.q, c.tq)
             from con c where c.rel = tab.oid and c.condeferrable)
from tab
where exists (select from con c where c.rel = tab.oid and c.condeferrable and c.type <> 'f')
  and not exists (select from con c where (c.rel = tab.oid or c.confrelid = tab.oid) and c.type = 'f')
  and not exists (select from trg where trg.tq = tab.q)

-- class: comment on the index of a constraint
select format('comment on index %s is ''mutated''', r), format('comment on index %s is null', r),
       array[format('noted comment on index %s, of a constraint', r)]
from (select k.conindid::regclass as r from tab join pg_constraint k on k.conrelid = tab.oid and k.contype in ('p', 'u', 'x')) i
