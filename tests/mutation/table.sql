-- Tables and schemas as wholes.

-- class: storage parameter set
select format('alter table %s set (fillfactor = 33)', q), case when options is null then format('alter table %s reset (fillfactor)', q) end,
       array['changed[with] ' || at] from tab

-- class: storage parameter reset
select format('alter table %s reset (%s)', q, split_part(options[1], '=', 1)), format('alter table %s set (%s)', q, options[1]), array['changed[with] ' || at]
from tab where options is not null

-- class: storage parameter of what is stored apart
select format('alter table %s set (toast.autovacuum_enabled = off)', q), null, array['changed[with] ' || at]
from tab join pg_class c on c.oid = tab.oid where c.reltoastrelid <> 0

-- class: table logged or not
select format('alter table %s set %s', q, case persistence when 'u' then 'logged' else 'unlogged' end),
       format('alter table %s set %s', q, case persistence when 'u' then 'unlogged' else 'logged' end),
       array['changed[unlogged] ' || at] || case when current_setting('server_version_num')::int >= 150000
         then array(select 'changed[unlogged] ' || r.at from used u join rel r on r.oid = u.objid and r.kind = 'S'
                    where u.rel = tab.oid and u.by = 'pg_class' and u.deptype = 'a') else '{}' end
from tab

-- class: replica identity changed
select format('alter table %s replica identity %s', q, case identity when 'f' then 'default' else 'full' end),
       case when identity <> 'i' then format('alter table %s replica identity %s', q, case identity when 'd' then 'default' when 'f' then 'full' else 'nothing' end) end,
       array['changed[replica_identity] ' || at]
from tab

-- class: index of the replica identity dropped
select format('alter table %s drop constraint %s', tq, k.q), null, array['missing ' || k.at, 'changed[replica_identity] ' || k.tat]
from con k join pg_index i on i.indexrelid = k.index where k.type in ('u', 'p') and i.indisreplident and not k.needed

-- class: replica identity lost with its index
select format('create unique index mutated on %1$s (%2$s); alter table %1$s replica identity using index mutated; drop index %3$s.mutated', tq, col.q, quote_ident(s)),
       format('alter table %s replica identity default', tq), array['changed[replica_identity] ' || tat]
from col join tab on tab.oid = col.rel
where in_primary_key and tab.identity = 'd' and (select count(*) from con k where k.rel = col.rel and k.type = 'p' and cardinality(k.columns) = 1) = 1

-- class: table dropped
select format('drop table %s', q), null,
       array['missing ' || at] || array(select 'missing ' || r.at from used u join rel r on r.oid = u.objid and r.kind = 'S'
                                        where u.rel = tab.oid and u.by = 'pg_class' and u.deptype = 'a')
from tab
where not exists (select from con k where k.confrelid = tab.oid and k.rel <> tab.oid)
  and not exists (select from used u where u.rel = tab.oid and u.by in ('pg_rewrite', 'pg_proc'))

-- class: table added
select format('create table %s.mutated (id serial primary key, a text check (a <> ''''))', q), format('drop table %s.mutated', q),
       array['extra ' || at || '/table mutated', 'extra ' || at || '/sequence mutated_id_seq'] from owned

-- class: schema dropped
select format('drop schema %s cascade', q), null, array['missing ' || at]
from owned
where not exists (select from pg_class c where c.relnamespace = owned.oid) and not exists (select from pg_proc p where p.pronamespace = owned.oid)
  and not exists (select from pg_type p where p.typnamespace = owned.oid)

-- class: schema renamed
select format('alter schema %s rename to mutated', q), format('alter schema mutated rename to %s', q), array['missing ' || at]
from owned
where not exists (select from pg_class c where c.relnamespace = owned.oid) and not exists (select from pg_proc p where p.pronamespace = owned.oid)
  and not exists (select from pg_type p where p.typnamespace = owned.oid)
