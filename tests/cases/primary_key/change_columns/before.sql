create table t (tenant int not null, id int primary key); insert into t values (1, 1), (1, 2);
create table c (id int primary key, t int references t);
create view gv as select id, tenant, count(*) from t group by id;
