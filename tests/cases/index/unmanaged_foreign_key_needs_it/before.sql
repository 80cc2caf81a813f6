create table p (id int primary key, k int unique); create schema other; create table other.c (k int references p (k));
