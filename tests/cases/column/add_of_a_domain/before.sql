create domain positive as int check (value > 0);
create domain checked as positive;
create domain plain as text;
create domain dated as timestamptz default clock_timestamp();
create table t (id int primary key); insert into t values (1), (2);
