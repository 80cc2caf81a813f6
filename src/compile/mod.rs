//! From drafts to a model: PostgreSQL builds them in scratch and its catalog is read back.

pub mod server;
