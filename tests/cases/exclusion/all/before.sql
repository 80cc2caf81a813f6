create table r (id int primary key, room int4range, during tsrange, constraint gone exclude using gist (room with &&), constraint change exclude using gist (during with &&));
insert into r values (1, '[1,2)', '[2020-01-01,2020-01-02)');
