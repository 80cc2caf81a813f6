create sequence down increment -1; create table d (id int primary key default nextval('down'), n int);
alter sequence down owned by d.id; insert into d (n) values (1), (2), (3);
create sequence tens increment 10; create table t (id int primary key default nextval('tens'), n int);
alter sequence tens owned by t.id; insert into t (n) values (1), (2);
