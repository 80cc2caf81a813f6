create table orders (id int) partition by list (id); create index taken on orders (id);
