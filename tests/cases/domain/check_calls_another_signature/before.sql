create function chk(a int, n int) returns boolean language sql immutable as 'select a > n';
create domain pos as int check (chk(value, 1));
create table t (id int primary key, p pos default 5); insert into t values (1, 2);
