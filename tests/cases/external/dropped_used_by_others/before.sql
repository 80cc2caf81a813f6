create table orders (id int primary key, total int, extra int);
create view reporting.totals as select sum(total) as total from orders;
