create domain d as text default 'x' constraint d_len check (length(value) > 0) constraint d_gone check (value <> 'q');
create domain n as int not null;
create table t (id int primary key, a d, b n); insert into t values (1, 'a', 1), (2, 'bb', 2);
