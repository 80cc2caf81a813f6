create table users (id serial primary key, email varchar(100) not null, role varchar(20) default 'user' check (role in ('user', 'admin')));
insert into users (email, role) values ('a@x', 'user'), ('b@x', 'admin');
create view admins as select id, email from users where role = 'admin'; grant select on admins to reader;
