create function old(a int) returns int language sql as 'select a'; grant execute on function old to reader; create view v as select old(1) x;
