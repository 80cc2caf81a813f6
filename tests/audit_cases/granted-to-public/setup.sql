create table open (id int primary key);
grant select, insert on open to public;
create table guarded (id int primary key);
alter table guarded enable row level security;
grant select on guarded to public;
create table closed (id int primary key);
grant select on closed to pg_monitor;
