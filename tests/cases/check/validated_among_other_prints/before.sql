create table t (id int primary key, x varchar(9), d varchar(9) default 'a', g text generated always as (case when x in ('a', 'b') then 'y' end) stored);
alter table t add constraint c check (x in ('a', 'b')) not valid;
alter table t enable row level security;
create policy p on t using (x in ('a', 'b'));
create index t_i on t (id) where x in ('a', 'b');
create view v as select id from t where x in ('a', 'b');
insert into t values (1, 'a'), (2, 'b');
