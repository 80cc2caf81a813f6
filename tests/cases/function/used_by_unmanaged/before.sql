create function f(a int) returns int language sql as 'select a'; create schema other; create view other.v as select f(1);
