create type e as enum ('a', 'b', 'c'); create domain ed as e; create domain eds as e[];
create table t (id int primary key, x ed, z eds); insert into t values (1, 'b', '{a,b}'), (2, 'c', '{b}');
