create table p (id int primary key, k int unique); create table t (id int primary key, a int references p on delete cascade on update cascade, b int references p, c int, d int, e int default 1, f int references p);
alter table t add constraint t_c foreign key (c) references p (k) on delete set null on update restrict,
 add constraint t_d foreign key (d) references p (id) match full deferrable initially deferred, add constraint t_e foreign key (e) references p on delete set default;
comment on constraint t_d on t is 'dee';
