create type st as enum ('draft', 'void'); create table o (id int primary key, s st default 'void');
alter table o enable row level security; create policy p on o using (s <> 'void');
create view w as select id from o where s <> 'void'; insert into o values (1, 'void'), (2, 'draft');
