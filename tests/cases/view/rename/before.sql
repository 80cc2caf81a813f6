create table t (id int primary key); create view old as select id from t; grant select on old to reader; create view w as select id from old;
