//! The parts of specs that rules read, of kinds whose own types are private to them. What every spec of a kind
//! has must be there: should the kind come to write it otherwise, the audit fails rather than finding nothing.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
pub struct Policy {
    /// `all`, `select`, `insert`, `update` or `delete`.
    #[serde(rename = "for")]
    pub command: String,
    #[serde(default)]
    pub restrictive: bool,
    /// Empty is PUBLIC.
    #[serde(default)]
    pub to: Vec<String>,
    pub using: Option<String>,
    pub check: Option<String>,
}

/// A primary key or a unique constraint.
#[derive(Clone, Debug, Deserialize)]
pub struct Key {
    pub columns: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Index {
    /// None is btree.
    pub method: Option<String>,
    #[serde(default)]
    pub unique: bool,
    pub keys: Vec<String>,
    #[serde(rename = "where")]
    pub predicate: Option<String>,
    #[serde(default)]
    pub invalid: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct View {
    #[serde(default)]
    pub security_invoker: bool,
}
