create table t (id int primary key, h timestamp); insert into t values (1, '2024-05-06 07:08:09');
