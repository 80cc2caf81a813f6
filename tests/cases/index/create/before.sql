create table t (id int primary key, a int, b text, j jsonb, d date); insert into t values (1, 1, 'x', '{}', '2020-01-01');
create table big (id int primary key, a int); insert into big select g, g from generate_series(1, 1000) g; analyze big;
