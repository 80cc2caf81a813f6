create table members (id int primary key, secret text);
insert into members values (1, 'x');
