comment on schema public is 'theirs'; create table t (id int primary key, a int); comment on table t is E'it''s\nnew \\ 🐘'; comment on column t.id is 'the key'; create index i on t (a);
create function f(a int) returns int language sql as 'select 1'; comment on function f is 'new'; create view v as select a from t; comment on view v is 'a view'; create sequence s;
