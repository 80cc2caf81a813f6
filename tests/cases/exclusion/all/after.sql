create table r (id int primary key, room int4range, during tsrange, constraint change exclude using gist (during with &&) where (id > 0),
 constraint fresh exclude using gist (room with =, during with &&) deferrable initially deferred);
