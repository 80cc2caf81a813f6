select t.oid, t.tgrelid, 0, null::oid, null::text,
       t.tgname::text,
       t.tgtype::int4,
       t.tgenabled::text,
       t.tgconstraint <> 0,
       t.tgdeferrable, t.tginitdeferred,
       case when t.tgconstrrelid <> 0 then quote_ident(fn.nspname) || '.' || quote_ident(f.relname) end,
       t.tgoldtable::text, t.tgnewtable::text,
       case when t.tgattr <> ''::int2vector
            then (select array_agg(a.attname::text order by a.attname collate "C")
                  from pg_attribute a where a.attrelid = t.tgrelid and a.attnum = any (t.tgattr)) end,
       case when pn.nspname <> 'pg_catalog' then quote_ident(pn.nspname) || '.' else '' end || quote_ident(p.proname) || '()',
       case when t.tgqual is not null or t.tgnargs > 0 then pg_get_triggerdef(t.oid) end
from pg_trigger t
join pg_class c on c.oid = t.tgrelid
join pg_proc p on p.oid = t.tgfoid
join pg_namespace pn on pn.oid = p.pronamespace
left join pg_class f on f.oid = t.tgconstrrelid
left join pg_namespace fn on fn.oid = f.relnamespace
where c.relnamespace = any ($1) and not t.tgisinternal and t.tgparentid = 0
