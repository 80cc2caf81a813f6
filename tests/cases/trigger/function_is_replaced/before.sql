create function f() returns trigger language plpgsql as 'begin return new; end'; create table t (id int primary key); create trigger x before insert on t for each row execute function f();
