create table t (id int primary key, s text); insert into t values (1, 'abc'), (2, 'abcdefghij');
