create schema app; create type app.state as enum ('new', 'done');
create domain app.d as app.state default 'new';
create function app.noted() returns trigger language plpgsql as 'begin return new; end';
create table app.t (id int primary key, s app.state, d app.d, list app.state[]);
alter table app.t enable row level security;
create policy p on app.t using (s = 'new');
create trigger noted before update on app.t for each row when (new.s = 'new') execute function app.noted();
insert into app.t values (1, 'new', 'done', '{new}');
