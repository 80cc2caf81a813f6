create sequence s;
create function make(n int) returns int language sql stable as 'select n';
create table t (id int primary key default make(5), a timestamptz default current_timestamp, b interval default '90 days', c int default -1,
 d text default 'it''s' || chr(10), e jsonb default '{"a": [1, 2]}'::jsonb, f bigint default nextval('s'), g date default current_date + 7,
 h text[] default array['a', 'b'], i numeric default 1.10, j text default current_user, k boolean default (not false), l bytea default '\x00ff');
