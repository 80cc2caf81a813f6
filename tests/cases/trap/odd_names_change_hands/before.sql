create type "Odd" as enum ('a'); create domain "D m" as text; create sequence "S q";
create table "T b" (id int); create view "V w" as select 1 as id;
