create extension vector;
create table chunks (id int primary key, embedding vector(3) not null);
insert into chunks select g, format('[%s,1,2]', g)::vector from generate_series(1, 200) g;
create index chunks_ivf on chunks using ivfflat (embedding vector_cosine_ops) with (lists = 10);
create index chunks_hnsw on chunks using hnsw (embedding vector_l2_ops);
