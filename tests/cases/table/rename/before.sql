create table old_projects (id bigint generated always as identity primary key, name text not null unique, n int check (n > 0));
create index old_projects_n on old_projects (n);
insert into old_projects (name, n) values ('a', 1), ('b', 2);
create view v as select id, name from old_projects;
