create schema billing;
create table billing.accounts (id bigint primary key);
insert into billing.accounts values (1);
