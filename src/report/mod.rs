//! Views: what commands found, for people and machines. No view decides anything.

mod plan;

pub use plan::{plan, PlanFormat};
