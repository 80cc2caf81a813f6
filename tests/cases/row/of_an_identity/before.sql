create table plans (code text primary key, nr int generated always as identity, name text);
insert into plans (code, name) values ('free', 'Free');
