create table alembic_version (version_num varchar(32) primary key);
create table legacy_users (id int primary key, name text);
create function legacy_name(id int) returns text language sql stable as $$ select 'x' $$;
insert into alembic_version values ('abc');
insert into legacy_users values (1, 'one');
