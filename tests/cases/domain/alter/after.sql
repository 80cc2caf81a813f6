create domain d as text default 'y' not null constraint d_len check (length(value) < 10) constraint d_new check (value <> 'zz');
comment on domain d is 'c'; create domain n as int;
create table t (id int primary key, a d, b n);
