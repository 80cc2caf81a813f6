create table p (id int primary key);
create table t (id int primary key, a int, b int check (b > 0), p int references p);
alter table t add constraint later check (a > 0) not valid;
alter table t add constraint later_key foreign key (a) references p not valid;
