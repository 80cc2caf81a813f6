//! Grants as they compare: per grantee, what it may do and whether it may pass it on.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One privilege that a grantee holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Privilege {
    /// The SQL keyword in lower case, such as `select`.
    pub name: String,
    /// WITH GRANT OPTION.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub grantable: bool,
}

/// Grantee to sorted privileges; the grantee `public` is PUBLIC, other names are roles as they are
/// (a role that is really called "public" cannot exist). What the owner holds by default is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Grants(pub BTreeMap<String, Vec<Privilege>>);

/// A grant that another role than the owner made: only that role can take it back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ForeignGrant {
    pub grantor: String,
    pub grantee: String,
    pub privileges: Vec<Privilege>,
    /// As PostgreSQL prints it: `clerk=r/reader`.
    pub printed: String,
}

impl ForeignGrant {
    /// Whether it gives the privilege.
    pub fn has(&self, privilege: &str) -> bool {
        self.privileges.iter().any(|p| p.name == privilege)
    }

    /// Whether it gives the privilege with grant option.
    pub fn has_option(&self, privilege: &str) -> bool {
        self.privileges.iter().any(|p| p.name == privilege && p.grantable)
    }
}
