create table t (id int primary key, a text, b text collate "POSIX", c text, d int);
alter table t alter c set storage main, alter d set statistics 100; comment on column t.d is 'dee';
