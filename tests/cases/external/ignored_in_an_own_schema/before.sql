create table orders (id int primary key, user_id int);
insert into orders values (1, 1);
