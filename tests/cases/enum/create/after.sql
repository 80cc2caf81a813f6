create type status as enum ('draft', 'in progress', 'don''t');
create table t (id int primary key, s status not null default 'draft', many status[] not null default '{draft}');
