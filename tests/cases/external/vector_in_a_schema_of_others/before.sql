create table documents (id int primary key, embedding extensions.vector(3));
insert into documents values (1, '[1,2,3]');
