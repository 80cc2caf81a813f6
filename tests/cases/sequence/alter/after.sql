create sequence s increment 10 cache 5 cycle maxvalue 100000; create sequence i; create sequence o;
create table t (id int primary key);
