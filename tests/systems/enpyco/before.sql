-- Enpyco for one customer only: four tables, status as free text, no company anywhere. Needs the extension vector.

create extension if not exists vector;

create table projects (
    id uuid primary key default gen_random_uuid(),
    name varchar(255) not null,
    rc_storage_path text,
    rc_context text,
    status varchar(50) not null default 'draft',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index idx_projects_status on projects (status);

create table sections (
    id uuid primary key default gen_random_uuid(),
    project_id uuid not null references projects (id) on delete cascade,
    section_type varchar(100) not null,
    title varchar(500) not null,
    content text not null default '',
    position integer not null default 0,
    created_at timestamptz not null default now()
);
create index idx_sections_project on sections (project_id, position);

create table memoires (
    id uuid primary key default gen_random_uuid(),
    filename varchar(500) not null,
    storage_path text not null,
    client varchar(255),
    year integer,
    created_at timestamptz not null default now()
);

create table document_chunks (
    id uuid primary key default gen_random_uuid(),
    memoire_id uuid not null references memoires (id) on delete cascade,
    chunk_index integer not null,
    content text not null,
    embedding vector(1536),
    metadata jsonb default '{}',
    created_at timestamptz default now()
);
comment on table document_chunks is 'A passage of a memoir and its embedding.';

-- Every word that the program ever wrote into status, and one that the ten states already know.
insert into projects (name, rc_storage_path, status)
select 'Project ' || n, 'rc/' || n || '.pdf',
       (array['draft', 'new', 'uploaded', 'processing', 'ready', 'generating', 'completed', 'error'])[1 + n % 8]
from generate_series(1, 40) n;

insert into sections (project_id, section_type, title, content, position)
select id, (array['presentation', 'methodology', 'safety'])[n], 'Section ' || n, 'Text of ' || name, n
from projects, generate_series(1, 3) n;

insert into memoires (filename, storage_path, client, year)
select 'memoire-' || n || '.docx', 'memoires/' || n || '.docx', 'Client ' || n % 6, 2015 + n % 10
from generate_series(1, 20) n;

insert into document_chunks (memoire_id, chunk_index, content, embedding, metadata)
select m.id, n, 'Passage ' || n || ' of ' || m.filename,
       (select array_agg(sin(i * n + m.year) order by i) from generate_series(1, 1536) i)::real[]::vector(1536),
       jsonb_build_object('page', n)
from memoires m, generate_series(1, 6) n;

create index idx_document_chunks_memoire on document_chunks (memoire_id);
create index idx_document_chunks_embedding on document_chunks using ivfflat (embedding vector_cosine_ops) with (lists = 10);
