create type st as enum ('draft', 'review', 'cancelled'); create table o (id int primary key, s st default 'cancelled');
alter table o enable row level security; create policy p on o using (s <> 'cancelled');
create view w as select id from o where s <> 'cancelled';
