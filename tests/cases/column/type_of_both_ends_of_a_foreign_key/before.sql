create table p (id int primary key); create table c (id int primary key, p int not null references p on delete cascade);
insert into p values (1), (2); insert into c values (1, 1), (2, 2);
