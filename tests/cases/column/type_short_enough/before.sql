create table t (id int primary key, s text, l text[], n int, d text, b bit varying(8));
insert into t values (1, 'abc', '{a,bc}', 12, 'x', '101');
