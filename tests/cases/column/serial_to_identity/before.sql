create table t (id serial primary key, n int); insert into t (n) select generate_series(1, 5);
