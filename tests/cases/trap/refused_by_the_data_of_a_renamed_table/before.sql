create table orders (id int primary key, num text, parent int, code text);
insert into orders values (1, 'a', null, 'x'), (2, null, 7, 'x'), (3, '', 1, null);
