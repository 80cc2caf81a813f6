select i.indexrelid, i.indrelid, 0, null::oid, null::text,
       c.relname::text,
       nullif(am.amname::text, 'btree'),
       i.indisunique,
       i.indkey::int2[],
       i.indnkeyatts::int4,
       i.indclass::oid[],
       i.indcollation::oid[],
       i.indoption::int2[],
       case when i.indexprs is not null
            then (select array_agg(pg_get_indexdef(i.indexrelid, n, false) order by n)
                  -- The vectors count from 0.
                  from generate_series(1, i.indnkeyatts) n where i.indkey[n - 1] = 0) end,
       -- Parameters of operator classes. A class of B-tree or hash takes any if it has the support function for that
       -- (manual, section 36.16.3); none that comes with PostgreSQL does.
       case when am.amname not in ('btree', 'hash')
                 or (select exists (select from pg_amproc p join pg_opfamily f on f.oid = p.amprocfamily
                                    join pg_am m on m.oid = f.opfmethod
                                    where (m.amname, p.amprocnum) in (('btree', 5), ('hash', 3))))
            then (select array_agg(a.attnum || ' ' || o.option order by a.attnum, o.option collate "C")
                  from pg_attribute a cross join lateral unnest(a.attoptions) o (option)
                  where a.attrelid = i.indexrelid and a.attnum > 0) end,
       c.reloptions,
       pg_get_expr(i.indpred, i.indrelid),
       [[15: i.indnullsnotdistinct | false]],
       not (i.indisvalid and i.indisready and i.indislive)
from (
  -- Those of constraints are theirs.
  select * from pg_index
  where (indrelid = any ($2)
         -- Materialized views.
         or indrelid in (select ev_class from pg_rewrite where rulename = '_RETURN'))
    and not indisprimary and not indisexclusion
  offset 0
) i
join pg_class c on c.oid = i.indexrelid
join pg_am am on am.oid = c.relam
where not c.relispartition
  -- Of what is unique, only the constraint tells.
  and (not i.indisunique or i.indexrelid not in (select conindid from pg_constraint where contype = 'u'))
