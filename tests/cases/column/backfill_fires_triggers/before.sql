create table t (id int primary key, a int, b int); insert into t values (1, null, null), (2, 3, null);
create function aud() returns trigger language plpgsql as 'begin new.b := 1; return new; end';
create trigger aud before update on t for each row execute function aud();
create trigger other before update of b on t for each row execute function aud();
