create table "Odd" (id int primary key); create table "S q" (id int primary key);
create view "D m" as select 1 as id; create type "T b" as enum ('x'); create domain "V w" as int;
