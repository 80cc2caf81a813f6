create schema app;
create table app.people (id int primary key, age int);
insert into app.people values (1, 30);
