-- Functions and procedures. What pg_get_functiondef prints puts one back, and its changed text changes it.

-- class: body changed
select regexp_replace(def, '\s*\$(function|procedure)\$\s*$', E'\n -- mutated\n$\\1$'), def, array['changed[body] ' || at]
from fun where not atomic and language in ('sql', 'plpgsql')

-- class: body of a standard function changed
select regexp_replace(def, '(RETURN|SELECT) ', '\1 (1) + '), def, array['changed[atomic] ' || at]
from fun where atomic and def ~ 'RETURN \(' and returns = 'integer'::regtype

-- class: volatility changed
select format('alter %s %s %s', word, q, case volatility when 'v' then 'stable' else 'volatile' end),
       format('alter %s %s %s', word, q, case volatility when 'v' then 'volatile' when 's' then 'stable' else 'immutable' end),
       array['changed[volatility] ' || at]
from fun where kind = 'f'

-- class: security changed
select format('alter %s %s security %s', word, q, case when definer then 'invoker' else 'definer' end),
       format('alter %s %s security %s', word, q, case when definer then 'definer' else 'invoker' end), array['changed[security_definer] ' || at]
from fun

-- class: cost changed
select format('alter %s %s cost 123.5', word, q), format('alter %s %s cost %s', word, q, cost), array['changed[cost] ' || at] from fun where kind = 'f'

-- class: rows changed
select format('alter %s %s rows 12', word, q), format('alter %s %s rows %s', word, q, rows), array['changed[rows] ' || at] from fun where many

-- class: strictness changed
select format('alter %s %s %s', word, q, case when strict then 'called on null input' else 'strict' end),
       format('alter %s %s %s', word, q, case when strict then 'strict' else 'called on null input' end), array['changed[strict] ' || at]
from fun where kind = 'f'

-- class: leakproof changed
select format('alter %s %s %s', word, q, case when leakproof then 'not leakproof' else 'leakproof' end), def, array['changed[leakproof] ' || at]
from fun where kind = 'f'

-- class: parallel changed
select format('alter %s %s parallel %s', word, q, case parallel when 'u' then 'safe' else 'unsafe' end),
       format('alter %s %s parallel %s', word, q, case parallel when 'u' then 'unsafe' when 's' then 'safe' else 'restricted' end),
       array['changed[parallel] ' || at]
from fun where kind = 'f'

-- class: setting added
select format('alter %s %s set work_mem = ''77MB''', word, q), format('alter %s %s reset work_mem', word, q), array['changed[set] ' || at]
from fun where config is null or not config::text like '%work_mem%'

-- class: search path taken away
select format('alter %s %s reset search_path', word, q), def, array['changed[set] ' || at] from fun where config::text like '%search_path=%'

-- class: settings taken away
select format('alter %s %s reset all', word, q), def, array['changed[set] ' || at] from fun where config is not null

-- class: argument default changed
select regexp_replace(def, 'DEFAULT 1([,)])', 'DEFAULT 2\1'), def, array['changed[arguments] ' || at] from fun where def ~ 'DEFAULT 1[,)]'

-- class: language changed
select replace(replace(def, 'LANGUAGE sql', 'LANGUAGE plpgsql'), '$function$select 1$function$', '$function$begin return 1; end$function$'), def,
       array['changed[body,language] ' || at]
from fun where def like '%$function$select 1$function$%' and language = 'sql'

-- class: result changed
select format('drop %s %s; ', word, q) || regexp_replace(def, 'RETURNS (SETOF )?\S+', 'RETURNS bigint'), null, array['changed[returns] ' || at]
from fun where language = 'plpgsql' and not many and kind = 'f' and returns not in ('trigger'::regtype, 'void'::regtype, 'bigint'::regtype) and not needed
  and def !~ '(OUT |TABLE\()' and acl is null and owner = (select r.oid from pg_roles r where r.rolname = current_user)
  and pg_temp.commented('', 'pg_proc', fun.oid) = ''

-- class: routine dropped
select format('drop %s %s', word, q), null, array['missing ' || at] from fun where not needed

-- class: overload added
select format('create function %s.%I(mutated box) returns int language sql as ''select 1''', quote_ident(s), f), null,
       array['extra ' || regexp_replace(at, '\([^(]*\)$', '(box)')]
from fun where kind = 'f'

-- class: routine renamed
select format('alter %s %s rename to mutated', word, q), null,
       array['missing ' || at, 'extra ' || pg_temp.named('schema', s) || '/' || word || ' mutated' || substring(at from '\([^()]*\)$')]
from fun where not needed and at ~ '\([^()]*\)$'

-- class: procedure added
select format('create procedure %s.mutated() language sql as ''select 1''', q), format('drop procedure %s.mutated()', q),
       array['extra ' || at || '/procedure mutated()']
from owned
