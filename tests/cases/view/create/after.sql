create table t (id int primary key, a int);
create view plain as select id, a from t; create view named (x, y) as select id, a from t;
create view barrier with (security_barrier = true) as select id, a from t where a > 0 with local check option; comment on view barrier is 'b'; alter view barrier owner to boss;
set role boss; grant select on barrier to reader; grant select on barrier to app_user; grant insert on barrier to app_user with grant option; reset role;
create view checked as select id from plain where id > 0 with cascaded check option;
create view cte as with x as (select id from t) select x.id, row_number() over (order by id) rn from x;
create view everything as select * from t;
