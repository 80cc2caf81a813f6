create table r (id int primary key);
create table another_table_with_a_long_name_that_fills_nearly_all_sixty_thre (a_column_with_a_long_name serial primary key, n bigint generated always as identity, u int not null unique check (u > 0), f int references r (id), x int4range, exclude using gist (x with &&));
create index on another_table_with_a_long_name_that_fills_nearly_all_sixty_thre (f);
