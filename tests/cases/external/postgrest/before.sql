create schema api;
create view api.films as select id, title from data.films;
grant usage on schema api to web_anon;
