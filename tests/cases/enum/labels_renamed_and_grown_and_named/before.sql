create type old_st as enum ('draft', 'void');
create table o (
  id int primary key, s old_st default 'void', n int,
  constraint kept check (s <> 'void' or id > 0), constraint other check (s <> 'void' or n > 0)
);
create view w as select id from o where s <> 'void';
alter table o enable row level security; create policy p on o using (s <> 'void');
create policy q on o using (s <> 'void' and id > 0);
insert into o (id, s, n) values (1, 'void', 1), (2, 'draft', 0);
