create table old (id int primary key, a int); create schema other; create view other.v as select a from old;
