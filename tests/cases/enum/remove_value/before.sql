create type st as enum ('draft', 'published', 'archived');
create table doc (id int primary key, s st not null default 'draft', hist st[] default '{draft}', n int generated always as (case s when 'draft' then 1 else 2 end) stored);
insert into doc values (1, 'draft', '{draft,archived}'), (2, 'archived', '{}'), (3, 'published', null);
create index doc_pub on doc (id) where s = 'published';
create view v as select id, s from doc where s <> 'archived';
grant select on v to reader; comment on view v is 'kept';
create function f(x st) returns boolean language sql immutable as $$ select x = 'draft' $$;
