create table t (id int primary key, plain text, with_default int not null default 7, volatile_default uuid not null default gen_random_uuid(),
 made timestamptz not null default now(), arr int[] not null default '{1,2}', gen int generated always as (id * 2) stored,
 num numeric(10,3), bits bit varying(5), span interval day to second(3), j jsonb not null default '{}');
