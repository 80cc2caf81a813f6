create function folded(t text) returns text language sql immutable as $$ select lower(t) $$;
create function key_of(t text) returns text language sql immutable as $$ select 'k' || folded(t) $$;
create table t (id int primary key, name text not null, check (key_of(name) <> 'k'));
create index t_key on t (key_of(name));
insert into t values (1, 'One'), (2, 'Two');
