create sequence plain;
create sequence "full" as integer start 10 increment 5 minvalue 5 maxvalue 1000 cache 20 cycle;
comment on sequence "full" is 'c'; alter sequence "full" owner to boss; grant usage on sequence "full" to app_user;
create sequence owned;
create table t (id bigint primary key default nextval('owned'));
alter sequence owned owned by t.id;
