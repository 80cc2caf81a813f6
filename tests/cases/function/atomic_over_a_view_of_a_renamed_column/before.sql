create table a (id int primary key, n int); insert into a values (1, 2);
create view va as select id, n from a;
create function cnt() returns bigint language sql stable begin atomic select count(*) from va where n > 1; end;
