create table p (id int primary key); create schema other; create table other.c (p int references p);
