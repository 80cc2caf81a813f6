create table t (id int primary key, b int); grant update on t to app_user; grant update (b) on t to app_user;
