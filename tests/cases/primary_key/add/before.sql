create table t (id int not null, a int); insert into t values (1, 1), (2, 2);
create table u (id int, a int); insert into u values (1, 1);
