create schema auth; create table auth.users (id int primary key, name text);
create table t (id int primary key, note text);
