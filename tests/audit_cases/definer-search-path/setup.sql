create schema app;
create function app.open() returns int language sql security definer as 'select 1';
create function app.by_user() returns int language sql security definer set search_path to "$user", app as 'select 1';
create function app.without_temp(a int, "B" text) returns int language sql security definer set search_path to app as 'select 1';
create function app.closed() returns int language sql security definer set search_path to '' as 'select 1';
create function app.temp_last() returns int language sql security definer set search_path to app, pg_temp as 'select 1';
create function app.of_caller() returns int language sql as 'select 1';
create function app.bound() returns int language sql security definer begin atomic select 1; end;
create procedure app.open_procedure() language sql security definer as 'select 1';
