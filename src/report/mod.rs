//! Views: what commands found, for people and machines. No view decides anything.

mod history;
mod plan;

pub use history::history;
pub use plan::{plan, PlanFormat};
