create type st as enum ('a', 'b'); create table doc (id int primary key, s st not null default 'a'); insert into doc values (1, 'a');
