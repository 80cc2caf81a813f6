-- Triggers.

-- class: trigger dropped
select format('drop trigger %s on %s', q, tq), def || after, array['missing ' || at] from trg

-- class: trigger added
select format('create trigger mutated before update on %s for each row execute function pg_catalog.suppress_redundant_updates_trigger()', q),
       format('drop trigger mutated on %s', q), array['extra ' || at || '/trigger mutated']
from tab

-- class: trigger renamed
select format('alter trigger %s on %s rename to mutated', q, tq), format('alter trigger mutated on %s rename to %s', tq, q),
       array['missing ' || at, 'extra ' || regexp_replace(at, '/trigger .*', '/trigger mutated')]
from trg

-- class: trigger disabled
select format('alter table %s disable trigger %s', tq, q), format('alter table %s enable trigger %s', tq, q) || after, array['changed[enabled] ' || at]
from trg where enabled <> 'D' and kind = 'r'

-- class: trigger enabled otherwise
select format('alter table %s enable always trigger %s', tq, q), format('alter table %s enable trigger %s', tq, q) || after, array['changed[enabled] ' || at]
from trg where enabled <> 'A' and kind = 'r'

-- class: trigger at another time
select format('drop trigger %s on %s; ', q, tq) || case when def ~ ' BEFORE ' then regexp_replace(def, ' BEFORE ', ' AFTER ')
              else regexp_replace(def, ' AFTER ', ' BEFORE ') end || after,
       format('drop trigger %s on %s; ', q, tq) || def || after, array['changed[timing] ' || at]
from trg where not is_constraint and not transition and kind = 'r'

-- class: trigger on other events
select format('drop trigger %s on %s; ', q, tq) || regexp_replace(def, ' (BEFORE|AFTER) ', ' \1 DELETE OR ') || after,
       format('drop trigger %s on %s; ', q, tq) || def || after, array['changed[events] ' || at]
from trg where not transition and def !~ 'DELETE|TRUNCATE|OLD|NEW|new|old' and kind = 'r'

-- class: trigger per statement instead of row, or the reverse
select format('drop trigger %s on %s; ', q, tq) || case when def like '%FOR EACH ROW%' then replace(def, 'FOR EACH ROW', 'FOR EACH STATEMENT')
              else replace(def, 'FOR EACH STATEMENT', 'FOR EACH ROW') end || after,
       format('drop trigger %s on %s; ', q, tq) || def || after, array['changed[level] ' || at]
from trg where not is_constraint and not conditional and not transition and kind = 'r' and def not like '%TRUNCATE%'

-- class: trigger under another condition
select format('drop trigger %s on %s; ', q, tq) || regexp_replace(def, ' EXECUTE FUNCTION ', ' WHEN (1 = 1) EXECUTE FUNCTION ') || after,
       format('drop trigger %s on %s; ', q, tq) || def || after, array['changed[when] ' || at]
from trg where not conditional and kind = 'r'

-- class: trigger without its condition
select format('drop trigger %s on %s; ', q, tq) || regexp_replace(def, ' WHEN \(.*\) EXECUTE FUNCTION ', ' EXECUTE FUNCTION ') || after,
       format('drop trigger %s on %s; ', q, tq) || def || after, array['changed[when] ' || at]
from trg where conditional and kind = 'r'

-- class: trigger with other arguments
select format('drop trigger %s on %s; ', q, tq) || regexp_replace(def, '\)$', case when def like '%()' then '''m'')' else ', ''m'')' end) || after,
       format('drop trigger %s on %s; ', q, tq) || def || after, array['changed[execute] ' || at]
from trg

-- class: trigger that calls something else
select format('drop trigger %s on %s; ', q, tq)
       || regexp_replace(def, ' EXECUTE FUNCTION .*', ' EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()') || after,
       format('drop trigger %s on %s; ', q, tq) || def || after, array['changed[execute] ' || at]
from trg

-- class: trigger deferred
select format('drop trigger %s on %s; ', q, tq) || replace(def, ' NOT DEFERRABLE INITIALLY IMMEDIATE', ' DEFERRABLE INITIALLY DEFERRED') || after,
       format('drop trigger %s on %s; ', q, tq) || def || after, array['changed[deferrable,initially_deferred] ' || at]
from trg where is_constraint and def like '% NOT DEFERRABLE INITIALLY IMMEDIATE%'

-- class: trigger no more deferred
select format('drop trigger %s on %s; ', q, tq) || replace(def, ' DEFERRABLE INITIALLY DEFERRED', ' DEFERRABLE') || after,
       format('drop trigger %s on %s; ', q, tq) || def || after, array['changed[initially_deferred] ' || at]
from trg where is_constraint and def like '% DEFERRABLE INITIALLY DEFERRED%'
