create type brought as (a int); alter extension plpgsql add type brought;
create table t (id int primary key, b brought[]); insert into t values (1, array[row(2)::brought]);
