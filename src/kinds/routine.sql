select p.oid, p.pronamespace, 0, p.proowner, p.proacl::text,
       p.proname::text,
       oidvectortypes(p.proargtypes),
       pg_get_function_arguments(p.oid),
       pg_get_function_result(p.oid),
       l.lanname::text,
       case when p.prosqlbody is null then p.prosrc end,
       case when p.prosqlbody is not null then pg_get_function_sqlbody(p.oid) end,
       p.probin::text,
       case when p.protrftypes is not null
            then array(select format_type(x.t, null) from unnest(p.protrftypes) with ordinality as x (t, n) order by x.n) end,
       p.prokind = 'w',
       case p.provolatile when 'i' then 'immutable' when 's' then 'stable' end,
       p.proleakproof,
       p.proisstrict,
       p.prosecdef,
       case p.proparallel when 's' then 'safe' when 'r' then 'restricted' end,
       case when p.procost <> case when l.lanname in ('internal', 'c') then 1 else 100 end then p.procost::text end,
       case when p.prorows <> case when p.proretset then 1000 else 0 end then p.prorows::text end,
       case when p.prosupport <> 0 then p.prosupport::regproc::text end,
       p.proconfig
from pg_proc p
join pg_language l on l.oid = p.prolang
where p.pronamespace = any ($1)
  -- Those come and go with their range type.
  and (l.lanname <> 'internal' or p.prosrc !~ '^(multi)?range_constructor[0-3]$')
