create function f() returns trigger language plpgsql as 'begin return new; end'; create function g() returns trigger language plpgsql as 'begin return null; end';
create table t (id int primary key, a int, b int); insert into t values (1, 1, 1);
create trigger change before insert on t for each row execute function f(); create trigger gone after delete on t execute function g(); create trigger state before update on t for each row execute function f(); create trigger old_name before update of b on t for each row execute function f('x');
comment on trigger old_name on t is 'kept';
create view v as select id from t;
