//! Runs a reviewed plan, or the way back of one: exactly its statements, or nothing.
//!
//! `gate` refuses what was not made for this database, is stale, or was not allowed; `journal` is the
//! record in the database; `run` executes batch by batch, each in one transaction with its entry in the
//! journal, so that the journal always says what was committed.

mod gate;
mod holders;
pub mod journal;
mod run;

pub use gate::never;
pub use run::{apply, interrupted, rollback, Options, Report};
