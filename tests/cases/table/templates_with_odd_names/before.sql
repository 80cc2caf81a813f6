create table keep (id int primary key); insert into keep values (1);
create table "Orders" (id int primary key, "OldOrders" int); insert into "Orders" values (1, 2);
