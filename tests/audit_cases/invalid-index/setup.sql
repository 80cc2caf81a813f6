create table t (a int, b int);
create index sound on t (a);
create unique index broken on t (b);
update pg_index set indisvalid = false where indexrelid = 'broken'::regclass;
create materialized view m as select a from t;
create index broken_too on m (a);
update pg_index set indisvalid = false where indexrelid = 'broken_too'::regclass;
