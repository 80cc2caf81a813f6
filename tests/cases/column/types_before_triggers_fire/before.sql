create table t (id int primary key, a text, n text, c text); insert into t values (1, null, 'q', null), (2, 'b', 'r', 's');
create table log (x text);
create function f() returns trigger language plpgsql as 'begin insert into public.log values (new.n); return new; end';
create trigger ct before update on t for each row execute function f();
