//! pgplumb holds a live PostgreSQL database against the schema its owners declared.

pub mod error;
pub mod model;
pub mod sql;
pub mod yaml;
