create table t (id int primary key, tested int not null, untested int, later int);
alter table t add constraint t_untested_not_null not null untested not valid, add constraint "named: #" not null later not valid;
