-- VITAL after an upgrade that stopped half-way: tenants, people and the five functions are there, tools and prompts
-- know their tenant, workflows is of old and does not, agents and knowledge are missing, nothing is protected yet.

create table tenants (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    slug text not null unique,
    type text not null default 'client',
    status text not null default 'active',
    settings jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint tenants_type_check check (type in ('platform', 'client', 'partner', 'trial')),
    constraint tenants_status_check check (status in ('active', 'suspended', 'closed'))
);
comment on table tenants is 'An organisation that works with the platform, or the platform itself.';

create table user_tenants (
    user_id uuid not null,
    tenant_id uuid not null references tenants (id) on delete cascade,
    role text not null default 'member',
    is_default boolean not null default false,
    created_at timestamptz not null default now(),
    primary key (user_id, tenant_id),
    constraint user_tenants_role_check check (role in ('owner', 'admin', 'member', 'viewer'))
);
comment on table user_tenants is 'Which users work for which tenants, and as what.';
create index idx_user_tenants_tenant on user_tenants (tenant_id);
create unique index idx_user_tenants_default on user_tenants (user_id) where is_default;

create table user_roles (
    user_id uuid not null,
    role text not null,
    granted_by uuid,
    created_at timestamptz not null default now(),
    primary key (user_id, role),
    constraint user_roles_role_check check (role in ('platform_admin', 'support', 'analyst'))
);
comment on table user_roles is 'What a user may do on the platform as a whole.';

create function get_current_user_id() returns uuid language sql stable
as $$select nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid$$;
comment on function get_current_user_id() is 'Who has signed in, by the claims of the request, or null.';

create function is_platform_admin() returns boolean language sql stable security definer set search_path = ''
as $$select exists (
    select from public.user_roles r
    where r.user_id = public.get_current_user_id() and r.role = 'platform_admin'
)$$;
comment on function is_platform_admin() is 'Whether whoever has signed in may see and change every tenant.';

create function has_tenant_access(tenant uuid) returns boolean language sql stable security definer set search_path = ''
as $$select exists (
    select from public.user_tenants t
    where t.user_id = public.get_current_user_id() and t.tenant_id = tenant
)$$;
comment on function has_tenant_access(tenant uuid) is 'Whether whoever has signed in works for the tenant.';

create function get_tenant_context() returns uuid language sql stable
as $$select nullif(current_setting('app.tenant_id', true), '')::uuid$$;
comment on function get_tenant_context() is 'The tenant of this session, or null.';

create function set_tenant_context(tenant uuid) returns void language plpgsql set search_path = ''
as $$begin
    if not (public.has_tenant_access(tenant) or public.is_platform_admin()) then
        raise exception 'no access to tenant %', tenant using errcode = 'insufficient_privilege';
    end if;
    perform pg_catalog.set_config('app.tenant_id', tenant::text, false);
end$$;
comment on function set_tenant_context(tenant uuid) is
    'Chooses the tenant of this session, if whoever has signed in may work for it.';

create table tools (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    description text,
    category text,
    input_schema jsonb not null default '{}',
    configuration jsonb not null default '{}',
    is_active boolean not null default true,
    created_by uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    tenant_id uuid not null references tenants (id) on delete cascade,
    is_shared boolean not null default false,
    sharing_mode text not null default 'private',
    shared_with uuid[] not null default '{}',
    constraint tools_tenant_id_name_key unique (tenant_id, name),
    constraint tools_sharing_mode_check check (sharing_mode in ('private', 'selective', 'global')),
    constraint tools_is_shared_check check (is_shared = (sharing_mode <> 'private'))
);
comment on table tools is 'Something that an agent can call.';
comment on column tools.sharing_mode is
    'private is the tenant''s alone, selective is for those in shared_with, global is for all.';
create index idx_tools_tenant on tools (tenant_id);
create index idx_tools_tenant_created on tools (tenant_id, created_at desc);
create index idx_tools_shared on tools (sharing_mode) where is_shared;

create table prompts (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    description text,
    category text,
    body text not null,
    variables text[] not null default '{}',
    version integer not null default 1,
    created_by uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    tenant_id uuid not null references tenants (id) on delete cascade,
    is_shared boolean not null default false,
    sharing_mode text not null default 'private',
    shared_with uuid[] not null default '{}',
    constraint prompts_tenant_id_name_version_key unique (tenant_id, name, version),
    constraint prompts_sharing_mode_check check (sharing_mode in ('private', 'selective', 'global')),
    constraint prompts_is_shared_check check (is_shared = (sharing_mode <> 'private'))
);
comment on table prompts is 'A text with places to fill in, to start a conversation from.';
comment on column prompts.sharing_mode is
    'private is the tenant''s alone, selective is for those in shared_with, global is for all.';
create index idx_prompts_tenant on prompts (tenant_id);
create index idx_prompts_tenant_created on prompts (tenant_id, created_at desc);
create index idx_prompts_shared on prompts (sharing_mode) where is_shared;

create table workflows (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    description text,
    definition jsonb not null default '{}',
    status text not null default 'draft',
    is_active boolean not null default true,
    created_by uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index idx_workflows_status on workflows (status);

insert into workflows (name, description, definition, status, created_at)
select 'Workflow ' || n, 'What is done in case ' || n, jsonb_build_object('steps', n % 9),
       (array['draft', 'active', 'retired'])[1 + n % 3], timestamptz '2025-03-01' + n * interval '1 hour'
from generate_series(1, 75) n;
