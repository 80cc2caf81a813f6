create table t (id int primary key);
create view a with (security_barrier = on) as select id from t;
create view b with (security_barrier = T) as select id from t;
create view c with (security_barrier = 1) as select id from t;
create view d with (security_barrier = off) as select id from t;
