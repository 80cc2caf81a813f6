create table t (id serial primary key, n int); insert into t (n) values (1), (2);
grant usage on sequence t_id_seq to reader; comment on sequence t_id_seq is 'numbers';
