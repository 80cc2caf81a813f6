//! The model: one flat, sorted map from addresses to nodes, read from a server or from the lock.
//! Pure data; nothing here knows a kind, SQL or a server.

mod address;
mod grants;
mod node;
mod pattern;

pub use address::Address;
pub use grants::{ForeignGrant, Grants, Privilege};
pub use node::{Hints, Model, Node, Spec};
pub use pattern::is_ignored;
