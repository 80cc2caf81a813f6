create schema app;
set search_path = app;
create table log (id bigint generated always as identity primary key, what text not null);
create table t (id int primary key, n int);
create function noted() returns trigger language plpgsql as 'begin insert into log (what) values (tg_op); return new; end';
create function fine(n int) returns boolean language plpgsql stable as 'begin return n <= (select count(*) + 10 from log); end';
create trigger noted after insert or update on t for each row execute function noted();
insert into t values (1, null), (2, 3);
