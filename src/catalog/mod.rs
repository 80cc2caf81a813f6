//! From a live database to a model: one snapshot, one query per kind.

pub mod connect;
