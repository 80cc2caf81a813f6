grant create on schema public to boss; create table t (id int primary key); grant select on t to boss, reader;
create sequence s; grant usage on sequence s to boss;
