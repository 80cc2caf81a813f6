create table base (id int); create table kid () inherits (base);
