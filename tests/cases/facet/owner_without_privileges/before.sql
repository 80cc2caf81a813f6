create table gives_up (id int primary key); alter table gives_up owner to boss; grant select on gives_up to boss;
create table gets_back (id int primary key); alter table gets_back owner to boss; revoke all on gets_back from boss; grant select on gets_back to reader;
create table changes_hands (id int primary key); alter table changes_hands owner to boss; grant select on changes_hands to app_user; grant insert on changes_hands to reader;
create table stays (id int primary key); alter table stays owner to boss; revoke all on stays from boss;
create function f() returns int language sql as 'select 1'; alter function f() owner to boss; revoke execute on function f() from boss, public;
