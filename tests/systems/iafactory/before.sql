-- IAFactory with one tenant's worth of tables: users, projects, workflows and knowledge, and no tenants.

create table users (
    id serial primary key,
    email varchar(255) not null unique,
    full_name varchar(255),
    password_hash varchar(255) not null,
    is_active boolean not null default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now()
);

create table projects (
    id serial primary key,
    user_id integer references users (id) on delete set null,
    name varchar(255) not null,
    description text,
    status varchar(50) not null default 'active',
    created_at timestamptz default now(),
    updated_at timestamptz default now()
);
create index idx_projects_user on projects (user_id);

create table bolt_workflows (
    id serial primary key,
    project_id integer references projects (id) on delete cascade,
    name varchar(255) not null,
    workflow_type varchar(50) not null default 'manual',
    definition jsonb not null default '{}',
    status varchar(50) not null default 'pending',
    created_at timestamptz default now(),
    started_at timestamptz,
    finished_at timestamptz
);
create index idx_bolt_workflows_status on bolt_workflows (status);

create table knowledge_base (
    id serial primary key,
    project_id integer references projects (id) on delete set null,
    title varchar(500) not null,
    content text not null,
    source_url text,
    tags text[] not null default '{}',
    metadata jsonb default '{}',
    created_at timestamptz default now(),
    updated_at timestamptz default now()
);
create index idx_knowledge_base_tags on knowledge_base using gin (tags);

create table orchestrator_state (
    id serial primary key,
    session_id varchar(100) not null unique,
    project_id integer references projects (id) on delete cascade,
    current_step varchar(100),
    state jsonb not null default '{}',
    updated_at timestamptz default now()
);

create table bmad_workflows (
    id serial primary key,
    project_id integer references projects (id) on delete cascade,
    name varchar(255) not null,
    phase varchar(50) not null default 'analysis',
    agent varchar(100),
    input jsonb not null default '{}',
    output jsonb,
    created_at timestamptz default now(),
    updated_at timestamptz default now()
);
create index idx_bmad_workflows_phase on bmad_workflows (phase);

insert into users (email, full_name, password_hash, created_at)
select 'user' || n || '@iafactory.example', 'User ' || n, 'hash-' || n, timestamptz '2025-01-01' + n * interval '1 day'
from generate_series(1, 24) n;

insert into projects (user_id, name, description, status, created_at)
select 1 + n % 24, 'Project ' || n, 'About ' || n, (array['active', 'paused', 'archived'])[1 + n % 3],
       timestamptz '2025-02-01' + n * interval '1 hour'
from generate_series(1, 60) n;

-- The first rows were loaded by hand, without a time of creation.
update projects set created_at = null where id <= 3;

insert into bolt_workflows (project_id, name, workflow_type, definition, status)
select 1 + n % 60, 'Bolt ' || n, (array['manual', 'scheduled'])[1 + n % 2], jsonb_build_object('steps', n % 7),
       (array['pending', 'running', 'done'])[1 + n % 3]
from generate_series(1, 90) n;

insert into knowledge_base (project_id, title, content, tags, metadata)
select nullif(n % 61, 0), 'Document ' || n, repeat('text ' || n || ' ', 20), array['t' || n % 5, 't' || n % 11],
       jsonb_build_object('page', n)
from generate_series(1, 150) n;

insert into orchestrator_state (session_id, project_id, current_step, state)
select 'session-' || n, 1 + n % 60, 'step-' || n % 4, jsonb_build_object('turn', n)
from generate_series(1, 40) n;

insert into bmad_workflows (project_id, name, phase, agent, input)
select 1 + n % 60, 'Run ' || n, (array['analysis', 'planning', 'build'])[1 + n % 3], 'agent-' || n % 5,
       jsonb_build_object('n', n)
from generate_series(1, 48) n;
