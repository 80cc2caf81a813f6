create table t (id int primary key, a int, b text, j jsonb, d date);
create index i1 on t (a, b desc); create index i2 on t (a asc nulls first) include (b, d); comment on index i2 is 'two';
create index i3 on t (lower(b), (a + 1) desc nulls last) where a is not null and b <> ''; create index i4 on t using gin (j jsonb_path_ops) with (fastupdate = false);
create index i5 on t using brin (d) with (pages_per_range = 16); create index i6 on t using hash (b); create unique index i7 on t (b text_pattern_ops) with (fillfactor = 70); create index i8 on t (b collate "C");
create table big (id int primary key, a int); create unique index big_a on big (a);
