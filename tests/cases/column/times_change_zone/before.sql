create table t (id int primary key, a timestamp, b timestamptz, c timestamp, d text);
insert into t values (1, '2024-01-01 12:00', '2024-01-01 12:00+00', '2024-01-01 12:00', 'x');
