create table t (id int primary key, created_at timestamptz not null default now());
create index idx_t_created on t (created_at);
alter table t enable row level security;
create policy t_read on t for select using (created_at < now());
create table u (id int primary key, created_at timestamptz not null default now());
create index idx_u_created on u (created_at);
alter table u enable row level security;
create policy u_read on u for select using (created_at < now());
