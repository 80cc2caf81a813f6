create table t (id int primary key, owner_name text); insert into t values (1, 'a');
