create table t (id int primary key, at timestamptz, d double precision, n numeric(12,4), k timestamp(6), whole numeric(8,2), ok numeric(8,0));
insert into t values (1, '2024-05-06 07:08:09.5+00', 1.23456789012345, 1.2345, '2020-01-01 10:10:10.123456', 1.5, 7);
