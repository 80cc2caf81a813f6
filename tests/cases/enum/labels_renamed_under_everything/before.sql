create type st as enum ('draft', 'void', 'it''s "odd"');
create function f(a st default 'void') returns st[] language sql immutable begin atomic select array['void'::st, a]; end;
create table o (
  id int primary key, s st default 'void', l st[] default '{draft,void,"it''s \"odd\""}', n int,
  constraint kept check (s <> 'void' or id > 0),
  constraint listed check (s in ('draft', 'void', 'it''s "odd"')),
  constraint other check (s <> 'void' or n > 0),
  g text generated always as (case when s = 'void' then 'v' else 'o' end) stored
);
create index i on o (id) where s = 'void';
create table ref (k text primary key, s st, l st[], note text);
insert into ref values ('a', 'void', '{void,draft}', 'void');
create view w as select id, 'void'::st as v from o where s = any ('{void,draft}'::st[]);
create materialized view m as select s, count(*) c from o where s <> 'void' group by s;
create function t() returns trigger language plpgsql as 'begin return new; end';
create trigger t before update on o for each row when (new.s = 'void') execute function t();
alter table o enable row level security; create policy p on o using (s <> 'void');
insert into o (id, s, n) values (1, 'void', 1), (2, 'draft', 0);
