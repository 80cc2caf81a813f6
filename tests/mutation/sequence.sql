-- Sequences, those of `serial` columns included.

-- class: sequence increment changed
select format('alter sequence %s increment by 17', q), format('alter sequence %s increment by %s', q, seqincrement), array['changed[options] ' || at]
from rel join pg_sequence on seqrelid = oid where kind = 'S' and seqincrement > 0

-- class: sequence start changed
select format('alter sequence %s start with 3', q), format('alter sequence %s start with %s', q, seqstart), array['changed[options] ' || at]
from rel join pg_sequence on seqrelid = oid where kind = 'S' and seqstart <> 3

-- class: sequence maximum changed
select format('alter sequence %s maxvalue 30000', q), format('alter sequence %s maxvalue %s', q, seqmax), array['changed[options] ' || at]
from rel join pg_sequence on seqrelid = oid where kind = 'S' and seqmax <> 30000

-- class: sequence minimum changed
select format('alter sequence %s minvalue -30000', q), format('alter sequence %s minvalue %s', q, seqmin), array['changed[options] ' || at]
from rel join pg_sequence on seqrelid = oid where kind = 'S' and seqmin <> -30000

-- class: sequence cache changed
select format('alter sequence %s cache 77', q), format('alter sequence %s cache %s', q, seqcache), array['changed[options] ' || at]
from rel join pg_sequence on seqrelid = oid where kind = 'S' and seqcache <> 77

-- class: sequence cycle changed
select format('alter sequence %s %s', q, case when seqcycle then 'no cycle' else 'cycle' end),
       format('alter sequence %s %s', q, case when seqcycle then 'cycle' else 'no cycle' end), array['changed[options] ' || at]
from rel join pg_sequence on seqrelid = oid where kind = 'S'

-- class: sequence of another type
select format('alter sequence %s as %s', q, case seqtypid::regtype::text when 'bigint' then 'integer' else 'bigint' end), null, array['changed[type] ' || at]
from rel join pg_sequence on seqrelid = oid where kind = 'S' and seqmax in (2147483647, 9223372036854775807) and seqmin = 1

-- class: sequence owned by nothing
select format('alter sequence %s owned by none', rel.q), format('alter sequence %s owned by %s.%s', rel.q, col.tq, col.q), array['changed[owned_by] ' || rel.at]
from rel join used u on u.objid = rel.oid and u.by = 'pg_class' and u.deptype = 'a' join col on col.rel = u.rel and col.n = u.n
where kind = 'S'

-- class: sequence owned by a column
select format('alter sequence %s owned by %s.%s', rel.q, col.tq, col.q), format('alter sequence %s owned by none', rel.q), array['changed[owned_by] ' || rel.at]
from rel join pg_class c on c.oid = rel.oid join col on true join rel r on r.oid = col.rel and r.owner = rel.owner and r.s = rel.s
where rel.kind = 'S' and not exists (select from used u where u.objid = rel.oid and u.by = 'pg_class' and u.deptype = 'a')

-- class: sequence dropped
select format('drop sequence %s', q), null, array['missing ' || at]
from rel where kind = 'S' and not exists (select from pg_depend d where d.refclassid = 'pg_class'::regclass and d.refobjid = rel.oid)

-- class: sequence added
select format('create sequence %s.mutated', q), format('drop sequence %s.mutated', q), array['extra ' || at || '/sequence mutated'] from owned

-- class: sequence renamed
select format('alter sequence %s rename to mutated', q), format('alter sequence %s.mutated rename to %I', quote_ident(s), t),
       array['missing ' || at, 'extra ' || pg_temp.named('schema', s) || '/sequence mutated']
from rel where kind = 'S' and not exists (select from pg_depend d where d.refclassid = 'pg_class'::regclass and d.refobjid = rel.oid)

-- class: sequence logged or not (15)
select format('alter sequence %s set %s', q, case persistence when 'u' then 'logged' else 'unlogged' end),
       format('alter sequence %s set %s', q, case persistence when 'u' then 'unlogged' else 'logged' end), array['changed[unlogged] ' || at]
from rel where kind = 'S'
