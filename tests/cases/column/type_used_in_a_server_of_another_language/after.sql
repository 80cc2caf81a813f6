create table t (id int primary key, a bigint, constraint theirs check (a > 0));
create index theirs_too on t (a);
create index theirs_in_part on t (id) where a > 1;
