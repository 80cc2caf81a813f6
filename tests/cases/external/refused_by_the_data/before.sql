create table orders (id int primary key, account bigint);
insert into orders values (1, 1), (2, 2);
