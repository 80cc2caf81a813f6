create table t (id int primary key, n int); create sequence s owned by t.n; insert into t values (1, 1);
