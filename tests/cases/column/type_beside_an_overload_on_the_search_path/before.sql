create schema app; create table app.t (id int primary key, v text, a text[], constraint c check (num_nulls(v, id) < 3), constraint a check (array_length(a, 1) < 5));
create index i on app.t (num_nulls(v, id)); insert into app.t values (1, '2', '{3}');
create function app.num_nulls(int, int) returns int language sql immutable as 'select 0';
create function app.array_length(bigint[], int) returns int language sql immutable as 'select 0';
