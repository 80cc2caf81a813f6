create table m1 (id int primary key, m2 int); create table m2 (id int primary key, m1 int references m1, self int references m2);
alter table m1 add foreign key (m2) references m2 (id);
