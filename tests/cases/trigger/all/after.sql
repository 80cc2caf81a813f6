create function f() returns trigger language plpgsql as 'begin return new; end'; create function g() returns trigger language plpgsql as 'begin return null; end';
create table t (id int primary key, a int, b int);
create trigger change before insert or update of a on t for each row when (new.a > 0) execute function f('a', 'it''s'); comment on trigger change on t is 'c';
create trigger state before update on t for each row execute function f(); alter table t disable trigger state;
create trigger new_name before update of b on t for each row execute function f('x'); comment on trigger new_name on t is 'kept';
create trigger stmt after insert on t referencing new table as fresh for each statement execute function g();
create trigger trunc after truncate on t execute function g(); alter table t enable always trigger trunc;
create constraint trigger con after insert or delete on t deferrable initially deferred for each row execute function g();
create view v as select id from t; create trigger iv instead of insert on v for each row execute function f();
