create table p (id bigint, k int) partition by list (k);
