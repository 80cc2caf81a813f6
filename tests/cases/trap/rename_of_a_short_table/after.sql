create table r (id int primary key);
create table b (a serial primary key, n bigint generated always as identity, data int not null unique check (data > 0), fa int references r (id));
create index on b (fa);
