create table t (code text primary key, n int); insert into t values ('security x', 7), ('security y', 8);
create table pairs (a text, b text, n int, primary key (a, b)); insert into pairs values ('x, y', 'z', 7);
