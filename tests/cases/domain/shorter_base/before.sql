create domain d as text;
create table t (id int primary key, s d); insert into t values (1, 'abcdefghij');
