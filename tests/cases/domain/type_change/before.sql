create domain d as varchar(10); create table t (id int primary key, a d default 'q', b d[]); insert into t values (1, 'a', '{x,y}');
create view v as select a from t;
