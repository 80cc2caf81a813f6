create table t (id int primary key, a int check (a > 0), b int, c text, constraint gone check (b < 100), constraint change check (b > 0), constraint nv check (b <> 7) not valid, constraint was_name check (c <> ''));
insert into t values (1, 1, 1, 'a'), (2, 2, 2, 'b');
