do $$ begin create role anon; exception when duplicate_object then null; end $$;
do $$ begin create role authenticated; exception when duplicate_object then null; end $$;
do $$ begin create role service_role bypassrls; exception when duplicate_object then null; end $$;
create schema auth;
create schema storage;
create schema extensions;
create type auth.aal_level as enum ('aal1', 'aal2', 'aal3');
create table auth.users (
  instance_id uuid, id uuid primary key, email varchar(255) unique, raw_user_meta_data jsonb,
  created_at timestamptz default now(), confirmed boolean generated always as (email is not null) stored);
create table auth.sessions (id uuid primary key, user_id uuid not null references auth.users on delete cascade, aal auth.aal_level);
create function auth.uid() returns uuid language sql stable as $$
  select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
create function auth.role() returns text language sql stable as $$ select current_setting('request.jwt.claim.role', true) $$;
create function auth.jwt() returns jsonb language sql stable as $$ select '{}'::jsonb $$;
create table storage.buckets (id text primary key, name text not null unique);
create table storage.objects (
  id uuid primary key default gen_random_uuid(), bucket_id text references storage.buckets, name text, owner uuid);
alter table storage.objects enable row level security;
create policy everything on storage.objects using (owner = auth.uid());
create function storage.foldername(name text) returns text[] language plpgsql immutable as $$ begin return string_to_array(name, '/'); end $$;
create function extensions.gen_random_uuid() returns uuid language sql volatile as $$ select pg_catalog.gen_random_uuid() $$;
grant usage on schema auth, storage, extensions to anon, authenticated;
insert into auth.users (id, email) values ('00000000-0000-0000-0000-000000000001', 'a@b.c'), ('00000000-0000-0000-0000-000000000002', 'd@e.f');
