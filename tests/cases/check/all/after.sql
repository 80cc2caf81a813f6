create table t (id int primary key, a int check (a > 0), b int check (b < 50), c text, constraint change check (b > -1), constraint nv check (b <> 7),
 constraint ni check (a <> 5) no inherit, constraint now_name check (c <> ''));
alter table t add constraint late check (a <> 6) not valid; comment on constraint ni on t is 'c';
