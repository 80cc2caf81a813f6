create table t (id int primary key, gone text, also int, kept int); insert into t values (1, 'x', 2, 3);
create index t_gone on t (gone); create index t_kept on t (kept);
