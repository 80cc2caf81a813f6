create table p (id int primary key);
create table t (id int primary key, a int, constraint idle check (a > 0) not enforced);
alter table t add constraint idle_key foreign key (a) references p not enforced;
