create table t (id int primary key, a int, g int generated always as (a + 1) virtual); insert into t values (1, 1);
