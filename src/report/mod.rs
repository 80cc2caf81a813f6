//! Views: what commands found, for people and machines. No view decides anything.
//!
//! A view is a function from data to text, the same bytes for the same data: no clock, no terminal. Names
//! and texts come from databases that others write to, so everything goes through `text`, which lets no
//! control character out.

mod difference;
mod drift;
mod history;
mod name;
mod paint;
mod plan;
mod text;

pub use drift::{drift, DriftFormat, DriftSubject};
pub use history::history;
pub use plan::{plan, way_back, PlanFormat};
pub use text::{count, line, lines};
