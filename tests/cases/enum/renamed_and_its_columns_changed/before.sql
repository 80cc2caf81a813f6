create schema app;
create type app.state as enum ('new', 'done');
create domain app.short as text check (length(value) < 9);
create table app.t (
  id int primary key,
  s app.state,
  old_s app.state default 'new',
  list app.state[] default '{new}',
  d app.short default 'x',
  check (s <> 'done' or d is not null)
);
create index t_s on app.t (s) where s = 'new';
insert into app.t values (1, 'new', 'done', '{new,done}', 'y'), (2, 'done', null, '{}', 'z');
