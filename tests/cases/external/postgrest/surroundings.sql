do $$ begin create role web_anon; exception when duplicate_object then null; end $$;
do $$ begin create role authenticator noinherit; exception when duplicate_object then null; end $$;
create schema basic_auth;
create schema data;
create table basic_auth.users (
  email text primary key check (email ~* '^.+@.+$'), pass text not null, role name not null);
create function basic_auth.check_role_exists() returns trigger language plpgsql as $$ begin return new; end $$;
create constraint trigger ensure_user_role_exists after insert or update on basic_auth.users
  for each row execute function basic_auth.check_role_exists();
create type basic_auth.jwt_token as (token text);
create function basic_auth.user_role(email text, pass text) returns name language plpgsql as $$
begin
  return (select role from basic_auth.users where users.email = user_role.email and users.pass = user_role.pass);
end $$;
create function basic_auth.sign(payload json, secret text, algorithm text default 'HS256') returns text
  language sql immutable as $$ select payload::text || secret || algorithm $$;
create table data.films (id bigint generated always as identity primary key, title text not null, year int);
create view data.recent as select * from data.films where year > 2000;
create materialized view data.counts as select year, count(*) as films from data.films group by year;
insert into data.films (title, year) values ('Brazil', 1985), ('Alien', 1979), ('Up', 2009);
insert into basic_auth.users values ('a@b.c', 'p', 'web_anon');
refresh materialized view data.counts;
