create schema "Odd ""one";
set search_path to "Odd ""one";
create function "Is Admin"() returns boolean language sql stable as 'select false';
create table "My Tenants" (id uuid primary key);
create table "Or/ders" (
  "Tenant ""id" uuid not null references "My Tenants" on delete cascade,
  id bigint generated always as identity,
  "Unit price" numeric check ("Unit price" > 0),
  primary key ("Tenant ""id", id)
);
create policy "a policy" on "Or/ders" using ("Tenant ""id" = nullif(current_setting('app.tenant', true), '')::uuid or "Is Admin"());
alter table "Or/ders" enable row level security;
alter table "Or/ders" force row level security;
create table lines (
  "Tenant ""id" uuid not null references "My Tenants" on delete cascade,
  id bigint generated always as identity,
  "order" bigint not null,
  primary key ("Tenant ""id", id),
  foreign key ("Tenant ""id", "order") references "Or/ders" ("Tenant ""id", id)
);
create index on lines ("Tenant ""id", "order");
create policy p on lines using ("Tenant ""id" = nullif(current_setting('app.tenant', true), '')::uuid);
alter table lines enable row level security;
alter table lines force row level security;
