create table t (id int primary key, a int, constraint old unique (a)); insert into t values (1, 1); comment on constraint old on t is 'c';
create table c (a int references t (a));
