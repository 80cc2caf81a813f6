create table alembic_version (v text); create table tmp_a (id int);
create table stays (id int primary key, n int);
