//! SQL as text: quoting, names, and fragments as `pg_query` sees them. Nothing outside this module
//! uses `pg_query`; nothing anywhere puts a name or a value into SQL but through [`Ident`] and
//! [`literal`].

pub mod column;
mod columns;
pub mod foreign_key;
mod fragment;
mod memo;
pub mod name;
mod parser;
pub mod placeholder;
pub mod predicate;
mod quote;
mod references;

pub use columns::columns;
pub use fragment::{Fragment, Mistake, Shape};
pub use parser::{bracketed, tokens, without_values, Token};
pub use quote::{literal, qualified, Ident};
pub use references::{mentions, own_columns, qualify, references, Reference, Space};
