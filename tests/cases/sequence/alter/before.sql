create sequence s increment 1 cache 1; select nextval('s') from generate_series(1, 42);
create sequence i as integer; create table t (id int primary key);
create sequence o owned by t.id;
