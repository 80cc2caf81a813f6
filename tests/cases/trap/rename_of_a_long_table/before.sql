create table r (id int primary key); insert into r values (1);
create table a_table_with_quite_a_long_name_that_fills_nearly_all_sixty_thr (a_column_with_a_long_name serial primary key, n bigint generated always as identity, u int not null unique check (u > 0), f int references r (id), x int4range, exclude using gist (x with &&));
insert into a_table_with_quite_a_long_name_that_fills_nearly_all_sixty_thr (u, f, x) values (1, 1, '[1,2)'), (2, 1, '[3,4)');
create index on a_table_with_quite_a_long_name_that_fills_nearly_all_sixty_thr (f);
