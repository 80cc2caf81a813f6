create table a (id int); alter table a enable row level security; alter table a force row level security; create policy p on a using (true);
create table b (id int); create table c (id int); alter table c enable row level security; insert into a values (1);
