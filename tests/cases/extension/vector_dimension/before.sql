create extension vector;
create table chunks (id int primary key, embedding vector(3));
create index chunks_hnsw on chunks using hnsw (embedding vector_l2_ops);
