create table r (k int primary key, price numeric(10,2), note text);
insert into r values (1, 1.50, '1.5');
