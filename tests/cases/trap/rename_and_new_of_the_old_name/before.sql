create table users (id int primary key, n text); insert into users values (1, 'x'); create index users_n on users (n);
