create table p (id int primary key, code text not null); create unique index p_code on p (code); create table c (id int primary key, code text references p (code));
insert into p values (1, 'a'); insert into c values (1, 'a');
