create table t (id int primary key, n int);
create function next_n() returns bigint language sql as 'select count(*) from t';
alter table t alter n set default next_n(); create function atom() returns bigint begin atomic select count(*) from t; end;
