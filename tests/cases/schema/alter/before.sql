create schema app; grant usage on schema app to public; comment on schema app is 'old';
create table app.t (id int);
