create table a (id int primary key, v text) with (fillfactor = 80, toast.autovacuum_enabled = false);
create table b (id int) with (autovacuum_vacuum_scale_factor = 0.01);
