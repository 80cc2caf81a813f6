create table orders (id bigint generated always as identity primary key, num text not null unique, total numeric check (total > 0), parent bigint references orders, nr serial,
  unique (num, total), unique (total, num), unique (total), foreign key (num) references orders (num));
create index orders_total_idx on orders (total);
insert into orders (num, total) values ('a', 1);
