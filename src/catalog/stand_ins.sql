-- What others own and no kind describes: in PostgreSQL's words, schema, name, name space, the statements that make
-- something that prints the same, and the types that they name. What they call is in a schema that nobody owns.
select pg_describe_object('pg_collation'::regclass, c.oid, 0), n.nspname::text, c.collname::text, 'other',
       array[format('CREATE COLLATION %I.%I (provider = %s, %s%s%s)', n.nspname, c.collname,
                    case c.collprovider when 'i' then 'icu' when 'b' then 'builtin' else 'libc' end,
                    case when c.collprovider = 'c' then format('lc_collate = %L, lc_ctype = %L', j ->> 'collcollate', j ->> 'collctype')
                         else format('locale = %L', coalesce(j ->> 'colllocale', j ->> 'colliculocale', j ->> 'collcollate')) end,
                    case when not c.collisdeterministic then ', deterministic = false' else '' end,
                    case when j ->> 'collicurules' is not null then format(', rules = %L', j ->> 'collicurules') else '' end)],
       '{}'::text[]
from pg_collation c join pg_namespace n on n.oid = c.collnamespace cross join lateral to_jsonb(c) j
where c.oid = any ($1)
union all
select pg_describe_object('pg_ts_config'::regclass, c.oid, 0), n.nspname::text, c.cfgname::text, 'other',
       array[format('CREATE TEXT SEARCH CONFIGURATION %I.%I (PARSER = pg_catalog."default")', n.nspname, c.cfgname)], '{}'
from pg_ts_config c join pg_namespace n on n.oid = c.cfgnamespace
where c.oid = any ($2)
union all
select pg_describe_object('pg_operator'::regclass, o.oid, 0), n.nspname::text, o.oprname::text, 'other',
       array['CREATE SCHEMA IF NOT EXISTS pgplumb_stand_ins',
             format('CREATE OR REPLACE FUNCTION pgplumb_stand_ins.%I(%s) RETURNS %s LANGUAGE sql IMMUTABLE AS ''SELECT NULL::%s''',
                    o.oprname || ' ' || t.result, a.list, t.result, t.result),
             format('CREATE OPERATOR %I.%s (FUNCTION = pgplumb_stand_ins.%I%s%s)', n.nspname, o.oprname, o.oprname || ' ' || t.result,
                    ', LEFTARG = ' || t.l, ', RIGHTARG = ' || t.r)],
       array_remove(array[t.l, t.r, t.result], null)
from pg_operator o
join pg_namespace n on n.oid = o.oprnamespace
cross join lateral (select case when o.oprleft <> 0 then format_type(o.oprleft, null) end as l, format_type(o.oprright, null) as r,
                           format_type(o.oprresult, null) as result) t
cross join lateral (select concat_ws(', ', t.l, t.r) as list) a
where o.oid = any ($3)
union all
-- The state is of the type of the result, so that nothing else is called.
select pg_describe_object('pg_proc'::regclass, p.oid, 0), n.nspname::text, p.proname::text, 'function',
       array['CREATE SCHEMA IF NOT EXISTS pgplumb_stand_ins',
             format('CREATE OR REPLACE FUNCTION pgplumb_stand_ins.state(%s) RETURNS %s LANGUAGE sql IMMUTABLE AS ''SELECT $1''',
                    concat_ws(', ', t.result, nullif(t.list, '')), t.result),
             format('CREATE AGGREGATE %I.%I(%s) (SFUNC = pgplumb_stand_ins.state, STYPE = %s)', n.nspname, p.proname,
                    coalesce(nullif(t.list, ''), '*'), t.result)],
       array(select format_type(u.type, null) from unnest(p.proargtypes::oid[] || p.prorettype) u (type))
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
join pg_aggregate g on g.aggfnoid = p.oid
cross join lateral (select format_type(p.prorettype, null) as result, pg_get_function_identity_arguments(p.oid) as list) t
where p.oid = any ($4) and g.aggkind = 'n'
union all
select pg_describe_object('pg_type'::regclass, t.oid, 0), n.nspname::text, t.typname::text, 'type',
       array[format('CREATE TYPE %I.%I AS RANGE (SUBTYPE = %s, MULTIRANGE_TYPE_NAME = %I.%I)', n.nspname, t.typname,
                    format_type(r.rngsubtype, null), mn.nspname, m.typname)],
       array[format_type(r.rngsubtype, null)]
from pg_range r
join pg_type t on t.oid = r.rngtypid
join pg_namespace n on n.oid = t.typnamespace
join pg_type m on m.oid = r.rngmultitypid
join pg_namespace mn on mn.oid = m.typnamespace
where r.rngtypid = any ($5) or r.rngmultitypid = any ($5)
order by 1
