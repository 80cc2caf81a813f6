create table queue (id int primary key); create table t (id int primary key);
create function served() returns trigger language plpgsql as 'begin delete from public.queue; return new; end';
create trigger served before update on t for each row execute function served();
insert into queue values (1), (2); insert into t values (1);
