create sequence p_id_seq owned by p.id;
create table t (id int primary key);
