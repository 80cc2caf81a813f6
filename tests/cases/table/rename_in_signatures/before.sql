create table items (id int primary key, name text); insert into items values (1, 'a');
create function label(items) returns text language sql immutable as 'select $1.name';
create function items_of(a items, more items[] default null) returns setof items language sql stable as 'select a';
comment on function label(items) is 'computed'; grant execute on function label(items) to reader;
create view labels as select label(i) as l from items i;
