create sequence a; select setval('a', 17); create sequence gone;
create table t (id int primary key default nextval('a'));
