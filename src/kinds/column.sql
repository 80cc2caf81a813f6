select a.attrelid, a.attrelid, a.attnum::int4, null::oid, a.attacl::text,
       a.attname::text,
       coalesce(nullif(t.typbasetype, 0), t.oid),
       a.attcollation,
       format_type(a.atttypid, a.atttypmod),
       a.attnotnull,
       a.atthasdef,
       -- What few columns have, together: each value of each row costs.
       case when a.attgenerated <> '' or a.attidentity <> '' or a.attcompression <> '' or a.attstorage <> t.typstorage
                 or a.attcollation <> t.typcollation or a.attstattarget <> -1 or a.attoptions is not null
            then array[
              a.attgenerated::text,
              case when a.attcollation <> t.typcollation and a.attcollation <> 0
                   then (select quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
                         from pg_collation co join pg_namespace cn on cn.oid = co.collnamespace where co.oid = a.attcollation)
                   else '' end,
              case when a.attstorage <> t.typstorage
                   then case a.attstorage when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main' else 'extended' end
                   else '' end,
              case a.attcompression when 'p' then 'pglz' when 'l' then 'lz4' else '' end,
              case when a.attstattarget <> -1 then a.attstattarget::text else '' end,
              a.attidentity::text,
              coalesce(a.attoptions::text, '')
            ] end
from pg_attribute a
join pg_type t on t.oid = a.atttypid
where a.attrelid = any ($2) and a.attnum > 0 and not a.attisdropped
