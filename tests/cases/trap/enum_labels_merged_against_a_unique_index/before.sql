create type st as enum ('a', 'b'); create table doc (id int, s st, unique (id, s)); insert into doc values (1, 'a'), (1, 'b');
