create table a (id int primary key);
create table gone (id int primary key, a int references a, note text);
insert into a values (1), (2);
insert into gone values (1, 1, 'x'), (2, null, 'y');
