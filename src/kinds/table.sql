select c.oid, c.relnamespace, 0, c.relowner, c.relacl::text,
       c.relname::text,
       c.relpersistence = 'u',
       case when c.reloptions is null and tc.reloptions is null then null
            else array(select o from unnest(c.reloptions) o union all select 'toast.' || o from unnest(tc.reloptions) o) end,
       case c.relreplident when 'f' then 'full' when 'n' then 'nothing'
            -- Without the index, nothing identifies a row (manual, ALTER TABLE).
            when 'i' then coalesce((select ic.relname::text from pg_index i join pg_class ic on ic.oid = i.indexrelid
                                    where i.indrelid = c.oid and i.indisreplident), 'nothing') end,
       case when am.amname <> 'heap' then am.amname::text end
from pg_class c
left join (select oid, reloptions from pg_class where reloptions is not null) tc on tc.oid = c.reltoastrelid
left join pg_am am on am.oid = c.relam
where c.relnamespace = any ($1) and c.relkind = 'r' and c.relpersistence <> 't'
  and not c.relispartition
  and c.oid not in (select inhrelid from pg_inherits union all select inhparent from pg_inherits)
