create schema app authorization boss; comment on schema app is 'The application.';
grant usage on schema app to app_user;
create table app.t (id int primary key);
