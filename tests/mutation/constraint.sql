-- Constraints of tables.

-- class: check dropped
select format('alter table %s drop constraint %s', tq, q), def || commented, array['missing ' || at] from con where type = 'c'

-- class: check added
select format('alter table %s add constraint mutated check (1 = 1)', q), format('alter table %s drop constraint mutated', q),
       array['extra ' || at || '/check mutated'] from tab

-- class: check renamed
select format('alter table %s rename constraint %s to mutated', tq, q), format('alter table %s rename constraint mutated to %s', tq, q),
       array['missing ' || at, 'extra ' || tat || '/check mutated'] from con where type = 'c'

-- class: check says something else
select format('alter table %s drop constraint %s', tq, q) || '; '
       || format('alter table %s add constraint %s check (1 = 1)%s', tq, q, case when connoinherit then ' no inherit' else '' end) || commented,
       format('alter table %s drop constraint %s; ', tq, q) || def || commented, array['changed[expression] ' || at]
from con where type = 'c' and convalidated

-- class: check not valid
select format('alter table %s drop constraint %s', tq, q) || '; ' || def || ' not valid' || commented,
       format('alter table %s validate constraint %s', tq, q), array['changed[not_valid] ' || at]
from con where type = 'c' and convalidated

-- class: check validated
select format('alter table %s validate constraint %s', tq, q), null, array['changed[not_valid] ' || at]
from con where type = 'c' and not convalidated and definition not like '%NOT ENFORCED'

-- class: check not inherited
select format('alter table %s drop constraint %s', tq, q) || '; ' || def || ' no inherit' || commented, null, array['changed[no_inherit] ' || at]
from con where type = 'c' and not connoinherit and convalidated

-- class: check not enforced (18)
select format('alter table %s drop constraint %s', tq, q) || '; ' || def || ' not enforced' || commented, null, array['changed[not_enforced] ' || at]
from con where type = 'c' and convalidated

-- class: primary key dropped
select format('alter table %s drop constraint %s', tq, q), def || commented, array['missing ' || at]
from con where type = 'p' and not needed and replica <> 'i'

-- class: primary key renamed
select format('alter table %s rename constraint %s to mutated', tq, q), format('alter table %s rename constraint mutated to %s', tq, q),
       array['missing ' || at, 'extra ' || tat || '/primary key mutated'] from con where type = 'p' and replica <> 'i'

-- class: primary key added
select format('alter table %s add constraint mutated primary key (%s)', tq, q), format('alter table %s drop constraint mutated', tq),
       array['extra ' || tat || '/primary key mutated']
from col where not_null and not exists (select from con k where k.rel = col.rel and k.type = 'p')
  and type::text in ('integer', 'bigint', 'text', 'uuid')

-- class: unique dropped
select format('alter table %s drop constraint %s', tq, q), def || commented, array['missing ' || at]
from con where type = 'u' and not needed and replica <> 'i'

-- class: unique added
select format('alter table %s add constraint mutated unique (%s)', tq, q), format('alter table %s drop constraint mutated', tq),
       array['extra ' || tat || '/unique mutated']
from col where type::text in ('integer', 'bigint', 'text', 'uuid')

-- class: unique renamed
select format('alter table %s rename constraint %s to mutated', tq, q), format('alter table %s rename constraint mutated to %s', tq, q),
       array['missing ' || at, 'extra ' || tat || '/unique mutated'] from con where type = 'u' and replica <> 'i'

-- class: key deferrable
select format('alter table %s drop constraint %s', tq, q) || '; ' || def || ' deferrable' || commented,
       format('alter table %s drop constraint %s', tq, q) || '; ' || def || commented, array['changed[deferrable] ' || at]
from con where type in ('p', 'u') and not condeferrable and not needed and replica <> 'i' and definition not like '%WITHOUT OVERLAPS%'

-- class: key of more columns
select format('alter table %s drop constraint %s', tq, k.q) || '; ' || replace(k.def, ' (', ' (' || c.q || ', ') || k.commented,
       format('alter table %s drop constraint %s', tq, k.q) || '; ' || k.def || k.commented, array['changed[columns] ' || k.at]
from con k join lateral (select q, type from col where col.rel = k.rel and not n = any (k.columns) and (not_null or k.type = 'u')
                         and type::text in ('integer', 'bigint', 'text', 'uuid') order by n limit 1) c on true
where k.type in ('p', 'u') and not needed and replica <> 'i' and definition !~ 'INCLUDE|WITH|\(.*\(' and def ~ '^[^(]*\([^(]*$'

-- class: key that holds more
select format('alter table %s drop constraint %s', tq, k.q) || '; ' || k.def || ' include (' || c.q || ')' || k.commented, null,
       array['changed[include] ' || k.at]
from con k join lateral (select q from col where col.rel = k.rel and not n = any (k.columns) and generated <> 'v' order by n limit 1) c on true
where k.type in ('p', 'u') and not needed and replica <> 'i' and definition !~ 'INCLUDE|WITH|DEFERR|OVERLAPS'

-- class: key with storage parameters
select format('alter index %I.%I set (fillfactor = 55)', n.nspname, c.relname), format('alter index %I.%I reset (fillfactor)', n.nspname, c.relname),
       array['changed[with] ' || k.at]
from con k join pg_class c on c.oid = k.index join pg_namespace n on n.oid = c.relnamespace
where k.type in ('p', 'u') and c.reloptions is null and k.definition not like '%OVERLAPS%'

-- class: key of nulls alike (15)
select format('alter table %s drop constraint %s', tq, q) || '; ' || replace(def, ' UNIQUE (', ' UNIQUE NULLS NOT DISTINCT (') || commented, null,
       array['changed[nulls_not_distinct] ' || at]
from con where type = 'u' and not needed and replica <> 'i' and definition like 'UNIQUE (%' and definition not like '%OVERLAPS%'

-- class: foreign key dropped
select format('alter table %s drop constraint %s', tq, q), def || commented, array['missing ' || at] from con where type = 'f'

-- class: foreign key added
select format('alter table %s add constraint mutated foreign key (%s) references %s (%s) not valid', c.tq, c.q, r.tq, r.q),
       format('alter table %s drop constraint mutated', c.tq), array['extra ' || c.tat || '/foreign key mutated']
from con k join col r on r.rel = k.rel and k.columns = array[r.n] join col c on c.type = r.type and c.collatable = r.collatable
where k.type = 'p' and not k.condeferrable and c.generated = '' and c.type::text in ('uuid', 'integer', 'bigint')

-- class: foreign key acts otherwise on delete
select format('alter table %s drop constraint %s', tq, q) || '; ' || regexp_replace(def, ' ON DELETE (CASCADE|RESTRICT)', ' ON DELETE NO ACTION') || commented,
       format('alter table %s drop constraint %s', tq, q) || '; ' || def || commented, array['changed[on_delete] ' || at]
from con where type = 'f' and confdeltype in ('c', 'r')

-- class: foreign key acts otherwise on update
select format('alter table %s drop constraint %s', tq, q) || '; ' || case confupdtype when 'a' then replace(def, 'REFERENCES', 'REFERENCES')
              || case when def ~ 'DEFERRABLE|NOT VALID|NOT ENFORCED|MATCH|ON DELETE' then '' else ' on update cascade' end
              else regexp_replace(def, ' ON UPDATE (CASCADE|RESTRICT|SET NULL|SET DEFAULT)', '') end || commented,
       format('alter table %s drop constraint %s', tq, q) || '; ' || def || commented, array['changed[on_update] ' || at]
from con where type = 'f' and (confupdtype <> 'a' or def !~ 'DEFERRABLE|NOT VALID|NOT ENFORCED|MATCH|ON DELETE')

-- class: foreign key matches fully
select format('alter table %s drop constraint %s', tq, q) || '; ' || regexp_replace(def, '(REFERENCES .*\))', '\1 MATCH FULL') || commented, null,
       array['changed[match_full] ' || at]
from con where type = 'f' and confmatchtype = 's' and def !~ 'ON|DEFERR|NOT|PERIOD'

-- class: foreign key not valid
select format('alter table %s drop constraint %s', tq, q) || '; ' || def || ' not valid' || commented,
       format('alter table %s validate constraint %s', tq, q), array['changed[not_valid] ' || at]
from con where type = 'f' and convalidated

-- class: foreign key deferrable
select format('alter table %s alter constraint %s deferrable', tq, q), format('alter table %s alter constraint %s not deferrable', tq, q),
       array['changed[deferrable] ' || at]
from con where type = 'f' and not condeferrable and def not like '%NOT ENFORCED'

-- class: foreign key deferred
select format('alter table %s alter constraint %s deferrable initially deferred', tq, q),
       format('alter table %s alter constraint %s not deferrable', tq, q), array['changed[deferrable,initially_deferred] ' || at]
from con where type = 'f' and not condeferrable and def not like '%NOT ENFORCED'

-- class: foreign key not enforced (18)
select format('alter table %s alter constraint %s not enforced', tq, q), format('alter table %s alter constraint %s enforced', tq, q),
       array['changed[not_enforced] ' || at]
from con where type = 'f' and convalidated and def not like '%NOT ENFORCED' and def not like '%PERIOD%'

-- class: foreign keys of a table that nothing keeps any more
select format('alter table %s disable trigger all', q), format('alter table %s enable trigger all', q),
       -- Also those that refer to it from elsewhere.
       array(select 'changed[disabled] ' || at from con k where (k.rel = tab.oid or k.confrelid = tab.oid) and k.type = 'f' and k.definition not like '%NOT ENFORCED')
from tab where exists (select from con k where k.rel = tab.oid and k.type = 'f' and k.definition not like '%NOT ENFORCED')
  and not exists (select from trg where trg.tq = tab.q)

-- class: foreign key to other columns
select format('alter table %s drop constraint %s', k.tq, k.q) || '; ' || format('alter table %s add constraint mutated_key unique (%s); ', r.tq, r.q)
       || regexp_replace(k.def, 'REFERENCES (.*)\([^()]*\)', 'REFERENCES \1(' || r.q || ')') || k.commented, null,
       array['changed[referenced columns] ' || k.at, 'extra ' || r.tat || '/unique mutated_key']
from con k
join col c on c.rel = k.rel and k.columns = array[c.n]
join lateral (select q, tq, tat from col o where o.rel = k.confrelid and o.type = c.type and o.collatable = c.collatable
              and not o.referenced and not o.in_primary_key and generated = '' order by n limit 1) r on true
where k.type = 'f' and k.def !~ 'PERIOD|SET (NULL|DEFAULT) \('
  and pg_temp.number(format('select count(*) from %s', k.tq)) = 0

-- class: exclusion dropped
select format('alter table %s drop constraint %s', tq, q), def || commented, array['missing ' || at] from con where type = 'x'

-- class: exclusion added
select format('alter table %s add constraint mutated exclude (%s with =)', tq, q), format('alter table %s drop constraint mutated', tq),
       array['extra ' || tat || '/exclusion mutated']
from col where type::text in ('integer', 'bigint', 'uuid') and generated <> 'v'

-- class: exclusion deferrable
select format('alter table %s drop constraint %s', tq, q) || '; ' || def || ' deferrable' || commented,
       format('alter table %s drop constraint %s', tq, q) || '; ' || def || commented, array['changed[exclude] ' || at]
from con where type = 'x' and not condeferrable

-- class: exclusion of other rows
select format('alter table %s drop constraint %s', tq, q) || '; ' || regexp_replace(regexp_replace(def, ' WHERE .*', ''), ' DEFERRABLE.*', '')
       || ' where (1 = 1)' || commented, null, array['changed[exclude] ' || at]
from con where type = 'x'
