create function norm(t text) returns text language sql immutable as 'select lower(t)';
create function outer_norm(t text) returns text language sql immutable begin atomic select norm(t); end;
create function unused(t text) returns text language sql immutable as 'select lower(t)';
create table t (id int primary key, a text, g text generated always as (outer_norm(a)) stored);
create index i on t (norm(a)); insert into t values (1, 'Ab');
