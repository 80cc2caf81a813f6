-- Reference rows: what the declarations say of them is known here.

-- class: row changed
select format('update %s set %s = ''mutated'' where id::text = %L', tq, q, id), null, array[format('changed[values.%s] %s/row %s', r.c, tat, id)]
from reference r join col on r.t = col.tq and col.c = r.c where type::text in ('text', 'character varying')

-- class: value not declared changed
select format('update %s set %s = %s where id::text = %L', tq, c, pg_temp.value(col.type), id), null, '{}'::text[]
from col join (values
  ('public.companies', '00000000-0000-4000-8000-000000000001', '{phone,address}'::text[]),
  ('public.users', '00000000-0000-4000-8000-000000000002', '{last_login_at,created_at}'),
  ('public.tenants', '00000000-0000-0000-0000-000000000000', '{created_at}'),
  ('public.tenants', '00000000-0000-0000-0000-000000000001', '{created_at}')
) as r (t, id, others) on r.t = col.tq and c = any (others)
where not :managed and pg_temp.number(format('select count(*) from %s where id::text = %L', tq, id)) = 1

-- class: row deleted
select format('delete from %s where id::text = %L', tq, id), null, array[format('missing %s/row %s', tat, id)]
from reference r join col on r.t = col.tq and col.c = r.c where col.c = 'id' and r.t <> 'public.companies'

-- class: row added
select format('insert into %s select * from %s limit 0', q, q), null, '{}'::text[] from tab where not :managed
