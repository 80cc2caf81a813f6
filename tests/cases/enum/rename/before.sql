create type old_st as enum ('a', 'b');
create table t (id int primary key, s old_st default 'a'); insert into t values (1, 'a');
comment on type old_st is 'c';
