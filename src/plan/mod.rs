//! From differences to an ordered, reviewed plan.
//!
//! `rename` finds declared renames, `expand` decides the fate of each address and of its live dependents,
//! `graph` orders the operations, `batch` cuts the order into transactions and writes the way back,
//! `relabel` follows labels that are renamed, `held` says what is locked, `search_path` where bodies find names, `file` is the
//! plan file with its seal and fingerprints, `preflight` asks the data, `privileges` the roles.

mod batch;
mod consequences;
mod expand;
mod file;
mod fingerprint;
mod graph;
pub mod held;
mod make;
mod preflight;
mod privileges;
pub mod relabel;
pub mod rename;
mod search_path;

pub use batch::{build, steps, Built, Input};
pub use file::{
    address_of, begin, not_allowed, Allowed, Batch, Finding, HazardNote, Plan, PlanTarget, ReadScope, Rehearsal,
    Rehearsed, Step, TableLock, FORMAT,
};
pub use fingerprint::{fingerprint, spec_fingerprint, Fingerprints};
pub use make::{draft, Draft};
pub use search_path::SearchPath;
