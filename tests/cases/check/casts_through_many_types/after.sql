create table t (id int primary key, s text,
  constraint c1 check (s = any (array['a', 'b']::varchar[]::name[]::bpchar[]::varchar[]::name[]::text[])),
  constraint c2 check (s = any (array['a'::varchar::name::bpchar, 'b'::varchar::name::bpchar]::varchar[]::name[]::text[])));
