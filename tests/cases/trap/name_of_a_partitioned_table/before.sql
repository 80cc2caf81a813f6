create table orders (id int) partition by list (id);
