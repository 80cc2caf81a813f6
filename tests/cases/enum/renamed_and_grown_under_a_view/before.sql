create type e as enum ('a', 'b'); create table t (id int primary key, x e, n text);
create view v as select id, x, n from t; create view over_v as select x from v; insert into t values (1, 'a', 'q');
