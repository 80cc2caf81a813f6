create table r (id int primary key); insert into r values (1);
create table a (a serial primary key, n bigint generated always as identity, data int not null unique check (data > 0), fa int references r (id));
insert into a (data, fa) values (1, 1), (2, 1);
create index on a (fa);
