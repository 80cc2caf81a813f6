create table t (id int primary key, a int, b text, j jsonb);
create index i1 on t (a desc); create index i2 on t using hash (b); comment on index i2 is 'new'; create index i3 on t using gin (j jsonb_path_ops) with (fastupdate = false); create index i4 on t (a) with (fillfactor = 60); create index i5 on t (a) where a > 1; create index i6 on t (a, b);
