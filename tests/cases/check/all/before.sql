create table t (id int primary key, a int check (a > 0), b int, c text, constraint gone check (b < 100), constraint change check (b > 0), constraint was_name check (c <> ''));
alter table t add constraint nv check (b <> 7) not valid;
insert into t values (1, 1, 1, 'a'), (2, 2, 2, 'b');
