create type mood as enum ('a', 'b'); create table t (id int primary key, m mood); insert into t values (1, 'a');
