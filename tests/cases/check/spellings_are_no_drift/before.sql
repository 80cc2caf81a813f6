create table t (status varchar(20), n int, s text, a numeric, d date,
  constraint c1 check (status in ('a','b')), constraint c2 check (n between 1 and 10), constraint c3 check (s like 'a%'), constraint c4 check (n is not distinct from 3),
  constraint c5 check (((status)::text = any ((array['a'::character varying,'b'::character varying])::text[]))), constraint c6 check (coalesce(a, 0) >= 0 and not (a > 100)),
  constraint c7 check (s ~* '^x' or s is null), constraint c8 check (d > '2020-01-01'), constraint c9 check (extract(year from d) > 2000), constraint c10 check (s = any('{a,b}')),
  constraint c11 check ((n > 0) is true), constraint c12 check (status::text not in ('x', 'y')), constraint c13 check (case when n > 1 then s is not null else true end));
