create table t (status varchar(20) constraint c1 check (status in ('a','b')), constraint c2 check (((status)::text = any ((array['a'::character varying,'b'::character varying])::text[]))));
