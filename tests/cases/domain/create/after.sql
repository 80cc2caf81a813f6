create domain email as text check (value ~ '@');
create domain amount as numeric(10,2) default 0 not null constraint amount_pos check (value >= 0);
comment on domain amount is 'Money.'; alter domain amount owner to boss;
revoke all on domain amount from public; grant usage on domain amount to app_user;
create domain word as text collate "C";
create table t (id int primary key, e email not null, a amount, w word, es email[]);
