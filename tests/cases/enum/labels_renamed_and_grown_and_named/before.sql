create type old_st as enum ('draft', 'void');
create table o (
  id int primary key, s old_st default 'void', n_old int,
  constraint kept check (s <> 'void' or id > 0), constraint other check (s <> 'void' or n_old > 0)
);
create function old_f(a old_st) returns boolean language sql immutable begin atomic select a <> 'void'; end;
create function g() returns int language plpgsql as 'begin return (select sum(o.n) from o); end';
create view w as select id from o where s <> 'void' and old_f(s);
alter table o enable row level security; create policy p on o using (s <> 'void' and old_f(s));
create policy q on o using (s <> 'void' and id > 0);
insert into o (id, s, n_old) values (1, 'void', 1), (2, 'draft', 0);
