create table t (id int primary key, s text default 'new', n text, ok int);
insert into t values (1, 'new', '10', 1), (2, 'done', '', 0);
