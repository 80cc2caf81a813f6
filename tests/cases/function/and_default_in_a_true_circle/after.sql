create table t (id int primary key, n bigint);
create function next_n() returns bigint begin atomic select count(*) from t; end;
alter table t alter n set default next_n();
