-- Extensions.

-- class: extension in another schema (vector)
select format('create schema elsewhere; alter extension %I set schema elsewhere', extname), null,
       array[format('changed[schema] extension %s', extname)]
       || array(select 'changed[type] ' || at from col join member m on m.classid = 'pg_type'::regclass and m.objid = col.type)
       || array(select 'changed[keys] ' || at from idx join pg_index i on i.indexrelid = idx.oid
                join member m on m.classid = 'pg_opclass'::regclass and m.objid = any (i.indclass))
from pg_extension where extname <> 'plpgsql' and not :managed

-- class: extension dropped (vector)
select format('drop extension %I cascade', extname), null,
       array[format('missing extension %s', extname)]
       || array(select 'missing ' || at from col join member m on m.classid = 'pg_type'::regclass and m.objid = col.type)
       || array(select 'missing ' || at from idx join pg_index i on i.indexrelid = idx.oid
                join member m on m.classid = 'pg_opclass'::regclass and m.objid = any (i.indclass))
from pg_extension where extname <> 'plpgsql' and not :managed
