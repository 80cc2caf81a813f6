//! From a live database to a model: one snapshot, one query per kind.

mod around;
pub mod connect;
mod depend;
mod fetch;
mod foreign;
mod live;
mod load;
mod parts;
mod printing;
mod reader;
mod session;
mod sizes;
mod surroundings;

pub use around::dependencies_around;
pub use depend::{dependencies, Dependent, Holder, Names, Unmanaged};
pub use foreign::{sight, Sighting};
pub use live::Live;
pub use load::{load, load_within, Depth, Loaded, Wanted};
pub use session::{Identity, Session};
pub use sizes::Sizes;
pub use surroundings::{Surroundings, Unmodelled, Unread};
