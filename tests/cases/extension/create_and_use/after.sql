create extension vector;
create table chunks (id int primary key, embedding vector(3) not null);
create index chunks_ivf on chunks using ivfflat (embedding vector_cosine_ops) with (lists = 100);
create index chunks_hnsw on chunks using hnsw (embedding vector_l2_ops) with (m = 8, ef_construction = 32);
