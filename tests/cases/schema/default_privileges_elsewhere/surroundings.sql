create schema theirs; alter default privileges in schema theirs grant select on tables to public;
