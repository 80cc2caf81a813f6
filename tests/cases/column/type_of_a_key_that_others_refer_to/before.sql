create table p (id int primary key); insert into p values (1), (2);
create table parted (id int, p int references p, primary key (id)) partition by range (id);
create table part partition of parted for values from (0) to (10); insert into parted values (1, 1);
create schema other; create table other.z (p int references public.p, up int references public.p); insert into other.z values (2, 1);
