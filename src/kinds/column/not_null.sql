[[18: select conrelid, 0, array_agg(conkey[1]), array_agg(conname::text), array_agg(not convalidated), array_agg(connoinherit)
from pg_constraint
where contype = 'n' and connamespace = any ($1)
group by conrelid | ]]
