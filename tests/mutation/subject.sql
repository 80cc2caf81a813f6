-- A database with what the others lack and some class of changes needs.
create schema empty;

create table without_key (id integer not null, name text);
create index without_key_name on without_key (name);

create table identified (id integer not null, code varchar(20) not null, constraint identified_code unique (code));
alter table identified replica identity using index identified_code;

create unlogged table fleeting (id serial, note text);

create function act() returns trigger language plpgsql as 'begin return null; end';
create constraint trigger later after insert on identified for each row execute function act();
create trigger whole after update on identified for each statement execute function act();

create function answer(text) returns integer language plpgsql as 'begin return 42; end';

create view few as select id, name from without_key where id < 3;
create view fewer with (check_option = local) as select id from few where id < 2;

create table generated (id integer primary key, a integer, b integer generated always as (a + 1) stored);
create type unused as enum ('some', 'other');

create policy owned on identified for update using (code = current_user);

create table late (id integer, constraint late_id unique (id) deferrable);
