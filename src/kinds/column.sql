select a.attrelid, a.attrelid, a.attnum::int4, c.relowner, a.attacl::text,
       a.attname::text,
       coalesce(nullif(t.typbasetype, 0), t.oid),
       a.attcollation,
       format_type(a.atttypid, a.atttypmod),
       a.attnotnull,
       -- Only generated columns refer to others; without a relation printing costs a sixth.
       case when a.atthasdef then pg_get_expr(d.adbin, case when a.attgenerated <> '' then d.adrelid else 0 end) end,
       nullif(a.attgenerated::text, ''),
       [[18: nn.conname::text | null::text]],
       case when a.attcollation <> t.typcollation and a.attcollation <> 0
            then (select quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
                  from pg_collation co join pg_namespace cn on cn.oid = co.collnamespace where co.oid = a.attcollation) end,
       case when a.attstorage <> t.typstorage
            then case a.attstorage when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main' else 'extended' end end,
       case a.attcompression when 'p' then 'pglz' when 'l' then 'lz4' end,
       nullif([[17: coalesce(a.attstattarget, -1) | a.attstattarget]], -1)::int4,
       nullif(a.attidentity::text, ''),
       case when a.attidentity <> '' then
         (select concat_ws(' ', s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle::int, s.seqtypid::regtype, sc.relname)
          from pg_depend sd
          join pg_sequence s on s.seqrelid = sd.objid
          join pg_class sc on sc.oid = sd.objid
          where sd.classid = 'pg_class'::regclass and sd.deptype = 'i'
            and sd.refclassid = 'pg_class'::regclass and sd.refobjid = a.attrelid and sd.refobjsubid = a.attnum) end,
       [[18: coalesce(not nn.convalidated, false) | false]]
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join pg_type t on t.oid = a.atttypid
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
[[18: left join pg_constraint nn on nn.conrelid = a.attrelid and nn.contype = 'n' and nn.conkey[1] = a.attnum | ]]
where c.relnamespace = any ($1) and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
