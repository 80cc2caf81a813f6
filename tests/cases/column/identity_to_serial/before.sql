create table t (id int generated always as identity primary key, n int); insert into t (n) select generate_series(1, 5);
