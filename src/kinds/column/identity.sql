select d.refobjid, d.refobjsubid,
       concat_ws(' ', s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle::int, s.seqtypid::regtype, c.relname)
from pg_sequence s
join pg_class c on c.oid = s.seqrelid
join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = s.seqrelid and d.deptype = 'i'
                and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0
where d.refobjid = any ($2)
