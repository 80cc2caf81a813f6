create table p (id int primary key); insert into p values (1);
create table t (id int primary key, p int references p, n int unique, m int check (m < 10), constraint odd check (n <> 7));
insert into t values (1, 1, 1, 1), (2, 1, 2, 2);
