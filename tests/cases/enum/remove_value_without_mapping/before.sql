create type st as enum ('draft', 'archived');
create table doc (id int primary key, s st not null default 'draft');
insert into doc values (1, 'archived');
