create schema auth; create table auth.users (id int primary key, name text); insert into auth.users values (1, 'x');
create table t (id int primary key);
