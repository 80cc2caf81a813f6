create table profiles (
  id uuid primary key references auth.users (id) on delete cascade, username text, website text);
alter table profiles enable row level security;
create policy "own profile" on profiles for select using (auth.uid() = id);
create policy old on profiles for update to authenticated using (auth.role() = 'authenticated');
insert into profiles values ('00000000-0000-0000-0000-000000000001', 'ann', null), ('00000000-0000-0000-0000-000000000002', 'ben', 'x.y');
create function handle_new_user() returns trigger language plpgsql security definer as $$
  begin insert into public.profiles (id) values (new.id); return new; end $$;
create trigger on_auth_user_created after insert on auth.users for each row execute function handle_new_user();
