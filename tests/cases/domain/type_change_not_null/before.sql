create type mood as enum ('sad', 'happy');
create domain n as int not null check (value > 0);
create domain named as int constraint given not null;
create domain m as mood not null;
create table t (id int primary key, a n default 1, b named default 2, c m default 'sad');
insert into t values (1, 1, 2, 'happy');
