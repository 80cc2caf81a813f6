create table old (id int primary key, t text); alter table old enable row level security; create policy old_p on old using (id > 0); insert into old values (1, 'a');
