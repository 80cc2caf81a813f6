-- Indexes.

-- class: index dropped
select format('drop index %s', q), def || commented, array['missing ' || at] from idx where kind = 'r' and not needed and not replica

-- class: index of a materialized view dropped
select format('drop index %s', q), def || commented, array['missing ' || at] from idx where kind = 'm'

-- class: index added
select format('create index mutated on %s (%s)', tq, q), null, array['extra ' || tat || '/index mutated']
from col where type::text in ('integer', 'bigint', 'text', 'uuid', 'character varying') and generated <> 'v'

-- class: index added twice over
select regexp_replace(def, 'INDEX .* ON ', 'INDEX mutated ON '), null, array['extra ' || regexp_replace(at, '/index .*', '/index mutated')]
from idx where def !~ 'ON.* ON '

-- class: index renamed
select format('alter index %s rename to mutated', q), format('alter index %s.mutated rename to %s', split_part(q, '.' || bare, 1), bare),
       array['missing ' || at, 'extra ' || regexp_replace(at, '/index .*', '/index mutated')]
from idx where not replica

-- class: index with another fillfactor
select format('alter index %s set (fillfactor = 43)', q), null, array['changed[with] ' || at] from idx where method in ('btree', 'gist', 'hash')

-- class: index with another option of its method
select format('alter index %s set (%s)', q, case method when 'gin' then 'fastupdate = off' else 'pages_per_range = 7' end), null, array['changed[with] ' || at]
from idx where method in ('gin', 'brin')

-- class: index with fewer lists (vector)
select format('alter index %s set (lists = 7)', q), null, array['changed[with] ' || at] from idx where method = 'ivfflat'

-- class: index with other columns
select format('drop index %s; create index %s on %s (%s)%s', i.q, i.bare, i.tq, c.q, i.commented), null, array['changed[keys] ' || i.at]
from idx i join lateral (select q from col where col.rel = i.rel and not n = any (i.columns) and generated <> 'v'
                         and type::text in ('integer', 'bigint', 'text', 'uuid', 'character varying') order by n limit 1) c on true
where i.method = 'btree' and not i.unique and not partial and i.options is null and i.keys = i.width and not i.replica

-- class: index in the other direction
select format('drop index %s; ', q) || regexp_replace(def, '\)$', ' DESC)') || commented, format('drop index %s; ', q) || def || commented, array['changed[keys] ' || at]
from idx where method = 'btree' and def ~ '^[^()]*\([^()]*\)$' and def !~ 'DESC|NULLS' and not needed and not replica

-- class: index by other operators
select format('drop index %s; ', i.q) || regexp_replace(def, '\)$', ' text_pattern_ops)') || commented, format('drop index %s; ', i.q) || def || commented,
       array['changed[keys] ' || i.at]
from idx i join col c on c.rel = i.rel and i.columns = array[c.n]
where method = 'btree' and def ~ '^[^()]*\([^()]*\)$' and def !~ 'DESC|NULLS|_ops' and c.type::text in ('text', 'character varying') and not needed
  and not replica

-- class: index by another method
select format('drop index %s; ', q) || replace(def, 'USING btree', 'USING hash') || commented, format('drop index %s; ', q) || def || commented,
       array['changed[using] ' || at]
from idx where method = 'btree' and def ~ '^[^(]*\([^,]*\)$' and def !~ 'DESC|NULLS|UNIQUE' and options is null

-- class: index unique
select format('drop index %s; ', q) || replace(def, 'CREATE INDEX', 'CREATE UNIQUE INDEX') || commented, format('drop index %s; ', q) || def || commented,
       array['changed[unique] ' || at]
from idx where method = 'btree' and not "unique"

-- class: index not unique
select format('drop index %s; ', q) || regexp_replace(replace(def, 'CREATE UNIQUE INDEX', 'CREATE INDEX'), ' NULLS NOT DISTINCT', '') || commented, null,
       array['changed[unique] ' || at]
from idx where "unique" and not needed and not replica and def not like '%NULLS NOT DISTINCT%'

-- class: index of nulls alike (15)
select format('drop index %s; ', q) || def || ' nulls not distinct' || commented, null, array['changed[nulls_not_distinct] ' || at]
from idx where "unique" and not partial and options is null and not needed and not replica and def not like '%NULLS NOT DISTINCT%'

-- class: index of fewer rows
select format('drop index %s; ', q) || def || ' where 1 = 1' || commented, format('drop index %s; ', q) || def || commented, array['changed[where] ' || at]
from idx where not partial and not needed and not replica

-- class: index of all rows
select format('drop index %s; ', q) || regexp_replace(def, ' WHERE .*', '') || commented, format('drop index %s; ', q) || def || commented,
       array['changed[where] ' || at]
from idx where partial

-- class: index that holds more
select format('drop index %s; ', i.q) || i.def || ' include (' || c.q || ')' || i.commented, null, array['changed[include] ' || i.at]
from idx i join lateral (select q from col where col.rel = i.rel and not n = any (i.columns) and generated <> 'v' order by n limit 1) c on true
where i.method = 'btree' and i.keys = i.width and i.options is null and not partial and def not like '%NULLS NOT%' and not i.replica

-- class: index left invalid
select format(E'\\set ON_ERROR_STOP off\ncreate unique index concurrently mutated on %s ((1))', q), format('drop index %s.mutated', quote_ident(s)),
       array['extra ' || at || '/index mutated']
from tab where pg_temp.number(format('select count(*) from %s', q)) > 1

-- class: index became invalid
select format('update pg_catalog.pg_index set indisvalid = false where indexrelid = %L::regclass', q),
       format('update pg_catalog.pg_index set indisvalid = true where indexrelid = %L::regclass', q), array['changed[invalid] ' || at]
from idx
