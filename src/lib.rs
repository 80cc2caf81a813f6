//! pgplumb holds a live PostgreSQL database against the schema its owners declared.
//!
//! `docs/architecture.md` is the map of this crate.

pub mod apply;
pub mod audit;
pub mod catalog;
pub mod cli;
pub mod compile;
pub mod decide;
pub mod declare;
pub mod diff;
pub mod drift;
pub mod engine;
pub mod error;
pub mod inspect;
pub mod kinds;
pub mod model;
pub mod plan;
pub mod rehearsal;
pub mod report;
pub mod sql;
pub mod yaml;
