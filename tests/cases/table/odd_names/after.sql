create schema "My Schema";
create table "My Schema"."Odd.Name" (id int primary key, "Quoted ""Column""" text not null default 'it''s', "select" int,
 constraint "a check: it is" check ("select" > 0));
comment on table "My Schema"."Odd.Name" is E'two\nlines\n';
create table "select" ("from" int primary key);
