create table alembic_version (v text); insert into alembic_version values ('x');
create table tmp_a (id int); create table stays (id int primary key);
