create table t (id int primary key, a varchar(10), b varchar(10), c numeric(8,2), d varbit(3), e timestamp(3), f cidr);
insert into t values (1, 'a', 'b', 1.5, '101', '2020-01-01', '10.0.0.0/8'); create index t_a on t (a);
create index t_b on t (b);
