create table kinds (id int primary key, name text not null, parent int references kinds);
insert into kinds values (9, 'old root', null);
create table links (id int primary key, kind int not null references kinds, name text unique, next text references links (name));
