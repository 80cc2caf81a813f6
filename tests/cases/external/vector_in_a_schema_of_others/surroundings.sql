create schema extensions;
create extension vector with schema extensions;
