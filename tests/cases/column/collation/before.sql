create table t (id int primary key, a text, b text, c text);
create unique index t_a on t (a); create index t_b on t (b);
insert into t values (1, 'x', 'x', 'x');
