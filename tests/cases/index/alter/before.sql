create table t (id int primary key, a int, b text, j jsonb); insert into t values (1, 1, 'x', '{}');
create index i1 on t (a); create index i2 on t (b); create index i3 on t using gin (j) with (fastupdate = off); create index i4 on t (a) with (fillfactor = 50); create index i5 on t (a) where a > 0; create index gone on t (b, a); create unique index i6 on t (a, b); comment on index i4 is 'old';
