create schema ext; create function ext.f() returns int language sql as 'select 1';
