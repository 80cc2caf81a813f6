create schema extensions;
create extension pgcrypto with schema extensions;
create extension citext with schema extensions;
create extension pg_trgm with schema extensions;
create extension earthdistance with schema extensions cascade;
