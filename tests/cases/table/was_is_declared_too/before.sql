create table t (id int primary key, a int);
create table u (id int primary key, x text); insert into u values (1, 'x');
