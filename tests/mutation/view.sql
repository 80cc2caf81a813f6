-- Views and materialized views.

-- class: view shows other rows
select format('create or replace view %s with (%s) as select * from (%s) mutated where 1 = 1', q, array_to_string(options, ', '), body),
       format('create or replace view %s with (%s) as %s', q, array_to_string(options, ', '), body), array['changed[query] ' || at]
from (select rel.*, rtrim(pg_get_viewdef(oid), ';') as body from rel where kind = 'v') v
where options is not null and options::text not like '%check_option%'

-- class: view without options shows other rows
select format('create or replace view %s as select * from (%s) mutated where 1 = 1', q, body),
       format('create or replace view %s as %s', q, body), array['changed[query] ' || at]
from (select rel.*, rtrim(pg_get_viewdef(oid), ';') as body from rel where kind = 'v') v where options is null

-- class: view shows one column more
select format('create or replace view %s as select *, 1 as mutated from (%s) m', q, body), null, array['changed[columns,query] ' || at]
from (select rel.*, rtrim(pg_get_viewdef(oid), ';') as body from rel where kind = 'v') v where options is null

-- class: view is a barrier or not
select format('alter view %s set (security_barrier = %s)', q, options is null or options::text not like '%security_barrier=true%'), null,
       array['changed[security_barrier] ' || at]
from rel where kind = 'v'

-- class: view reads as its owner or not (15)
select format('alter view %s set (security_invoker = %s)', q, options is null or options::text not like '%security_invoker=true%'), null,
       array['changed[security_invoker] ' || at]
from rel where kind = 'v'

-- class: view checks other rows
select format('alter view %s set (check_option = %s)', q, case when options::text like '%check_option=local%' then 'cascaded' else 'local' end), null,
       array['changed[check_option] ' || at]
from rel where kind = 'v'

-- class: view no more checked
select format('alter view %s reset (check_option)', q), null, array['changed[check_option] ' || at]
from rel where kind = 'v' and options::text like '%check_option%'

-- class: view column renamed
select format('alter view %s rename %I to mutated', q, a.attname), format('alter view %s rename mutated to %I', q, a.attname),
       array['changed[columns,query] ' || at]
from rel join pg_attribute a on a.attrelid = rel.oid and a.attnum = 1
where kind = 'v' and not exists (select from pg_depend d where d.refclassid = 'pg_class'::regclass and d.refobjid = rel.oid and d.refobjsubid > 0
    and not exists (select from pg_rewrite w where w.oid = d.objid and w.ev_class = rel.oid))
  and not exists (select from pg_description d where d.objoid = rel.oid and d.objsubid = 1)

-- class: view default changed
select format('alter view %s alter %I set default %s', q, a.attname, pg_temp.value(a.atttypid)), case when a.atthasdef then null
              else format('alter view %s alter %I drop default', q, a.attname) end,
       array['changed[default] ' || at || '/' || pg_temp.named('view column', a.attname)]
from rel join pg_attribute a on a.attrelid = rel.oid and a.attnum > 0
where kind = 'v' and pg_temp.value(a.atttypid) is not null
  and not exists (select from pg_description d where d.objoid = rel.oid and d.objsubid > 0)

-- class: view dropped
select format('drop view %s', q), null, array['missing ' || at]
from rel where kind = 'v' and not exists (
  select from pg_depend d where d.refclassid = 'pg_class'::regclass and d.refobjid = rel.oid and d.deptype = 'n'
    and not exists (select from pg_rewrite w where w.oid = d.objid and w.ev_class = rel.oid))
  and not exists (select from trg where trg.tq = rel.q)

-- class: view added
select format('create view %s.mutated as select 1 as a', q), format('drop view %s.mutated', q), array['extra ' || at || '/view mutated'] from owned

-- class: materialized view dropped
select format('drop materialized view %s', q), null, array['missing ' || at]
from rel where kind = 'm' and not exists (
  select from pg_depend d where d.refclassid = 'pg_class'::regclass and d.refobjid = rel.oid and d.deptype = 'n'
    and not exists (select from pg_rewrite w where w.oid = d.objid and w.ev_class = rel.oid))

-- class: materialized view added
select format('create materialized view %s.mutated as select 1 as a', q), format('drop materialized view %s.mutated', q),
       array['extra ' || at || '/materialized view mutated'] from owned

-- class: materialized view renamed
select format('alter materialized view %s rename to mutated', q), format('alter materialized view %s.mutated rename to %I', quote_ident(s), t),
       array['missing ' || at, 'extra ' || pg_temp.named('schema', s) || '/materialized view mutated']
from rel where kind = 'm' and not exists (
  select from pg_depend d where d.refclassid = 'pg_class'::regclass and d.refobjid = rel.oid and d.deptype = 'n'
    and not exists (select from pg_rewrite w where w.oid = d.objid and w.ev_class = rel.oid))

-- class: materialized view with storage parameters
select format('alter materialized view %s set (autovacuum_enabled = false)', q), format('alter materialized view %s reset (autovacuum_enabled)', q),
       array['changed[with] ' || at]
from rel where kind = 'm'
