create type st as enum ('a', 'b', 'c');
create table b (id int primary key, s st not null, l st[]); insert into b values (1, 'a', '{a,c}'), (2, 'c', '{c}');
