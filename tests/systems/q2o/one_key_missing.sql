-- Q2O where only fk_project_activation_code is missing.
create table tenants (
    id serial primary key,
    name varchar(200) not null,
    slug varchar(100) not null unique,
    email varchar(255),
    plan varchar(50) not null default 'starter',
    usage_quota integer not null default 10,
    is_active boolean not null default true,
    created_at timestamptz not null default current_timestamp,
    constraint tenants_usage_quota_check check (usage_quota >= 0)
);
comment on table tenants is 'A customer of the portal.';

create table activation_codes (
    id serial primary key,
    tenant_id integer not null,
    code_hash varchar(64) not null unique,
    label varchar(200),
    max_uses integer not null default 1,
    use_count integer not null default 0,
    expires_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz not null default current_timestamp,
    constraint activation_codes_use_count_check check (use_count >= 0 and use_count <= max_uses),
    constraint activation_codes_tenant_id_fkey foreign key (tenant_id) references tenants (id) on delete cascade
);
comment on table activation_codes is 'A code that a tenant spends to activate a project. Only its hash is kept.';
create index idx_activation_codes_tenant on activation_codes (tenant_id);

create table llm_project_config (
    id serial primary key,
    project_id varchar(100) not null unique,
    client_name varchar(200) not null,
    description text,
    custom_instructions text,
    provider varchar(50) not null default 'gemini',
    model varchar(100),
    temperature numeric(3,2) not null default 0.30,
    is_active boolean not null default true,
    created_at timestamptz not null default current_timestamp,
    updated_at timestamptz
);
comment on table llm_project_config is 'A project and how it talks to language models.';

insert into tenants (name, slug, email, plan, usage_quota)
select 'Tenant ' || n, 'tenant-' || n, 'admin@tenant-' || n || '.example',
       (array['starter', 'pro', 'enterprise'])[1 + n % 3], 10 * n
from generate_series(1, 12) n;

insert into activation_codes (tenant_id, code_hash, label, use_count)
select t.id, encode(sha256(convert_to(t.slug || '/' || n, 'UTF8')), 'hex'), 'Code ' || n, (n = 1)::integer
from tenants t, generate_series(1, 3) n
order by t.id, n;

insert into llm_project_config (project_id, client_name, description, model)
select 'project-' || n, 'Client ' || (1 + n % 12), 'Project number ' || n, 'model-' || n % 2
from generate_series(1, 30) n;

alter table llm_project_config
    add column tenant_id integer,
    add column activation_code_id integer,
    add column project_status varchar(20) default 'active',
    add column started_at timestamptz,
    add column completed_at timestamptz;
comment on column llm_project_config.tenant_id is
    'Null for a project from before there were tenants, which only administrators see.';
comment on column llm_project_config.activation_code_id is 'The code that was spent on this project.';
create index idx_project_tenant on llm_project_config (tenant_id);
create index idx_project_activation_code on llm_project_config (activation_code_id);

create table tenant_sessions (
    id serial primary key,
    tenant_id integer not null references tenants (id) on delete cascade,
    session_token varchar(255) unique not null,
    otp_code varchar(6),
    otp_expires_at timestamptz,
    last_activity timestamptz default current_timestamp,
    expires_at timestamptz not null,
    created_at timestamptz default current_timestamp
);
comment on table tenant_sessions is 'A tenant''s login with a one-time password, and the session it leads to.';
create index idx_session_token on tenant_sessions (session_token);
create index idx_tenant_sessions on tenant_sessions (tenant_id);
create index idx_session_expires on tenant_sessions (expires_at);
create index idx_session_otp on tenant_sessions (tenant_id, otp_code) where otp_code is not null;

-- Projects 1 to 10 belong to a tenant and have spent its first code; the others are from before there were tenants.
update llm_project_config p
set tenant_id = t.id, activation_code_id = c.id, started_at = current_timestamp
from tenants t
join activation_codes c on c.tenant_id = t.id and c.use_count = 1
where p.id <= 10 and t.id = p.id;

insert into tenant_sessions (tenant_id, session_token, otp_code, otp_expires_at, expires_at)
select id, 'token-' || id, lpad(id::text, 6, '0'), current_timestamp + interval '10 minutes',
       current_timestamp + interval '30 minutes'
from tenants
where id % 2 = 0;

alter table llm_project_config
    add constraint fk_project_tenant foreign key (tenant_id) references tenants (id) on delete cascade;
