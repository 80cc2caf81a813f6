create table orders (id int primary key, account bigint references billing.accounts);
insert into orders values (1, 1), (2, 2);
