create table events (tenant_id int not null, id bigint not null, payload jsonb, primary key (tenant_id, id));
select citus.create_distributed_table('events', 'tenant_id');
insert into events values (1, 1, '{}');
