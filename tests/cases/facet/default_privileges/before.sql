alter default privileges in schema public grant select on tables to reader; alter default privileges in schema public revoke execute on functions from public; alter default privileges grant usage on types to clerk; alter default privileges in schema public grant usage on sequences to writer;
create table old (id int primary key);
