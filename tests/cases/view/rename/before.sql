create table t (id int primary key); create view former as select id from t; grant select on former to reader; create view w as select id from former;
