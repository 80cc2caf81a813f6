create table p (id bigint primary key); 
create table parted (id int, p int references p, primary key (id)) partition by range (id);
create table part partition of parted for values from (0) to (10); 
create schema other; create table other.z (p int references public.p, up int references public.p); 
