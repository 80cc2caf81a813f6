create function f(old int) returns int language sql as 'select old'; create view v as select f(1);
