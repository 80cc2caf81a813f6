create type st as enum ('a', 'b');
create schema other; create table other.t (s st); insert into other.t values ('b');
