//! Fingerprints: what a plan met and must find again when it is applied.

use crate::catalog::Surroundings;
use crate::diff::Pairs;
use crate::model::{Address, Model, Node};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The word for an address that must not be there.
const ABSENT: &str = "absent";

/// Path to digest, or `absent`; and the default privileges that were met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprints {
    pub things: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default_privileges: Vec<String>,
    /// What each batch but the last changes, by path: no longer to be found as it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<BTreeSet<String>>,
}

/// The digest of one node as it is, dependencies aside.
pub fn fingerprint(node: Option<&Node>) -> String {
    let Some(Node { address, spec, owner, comment, grants, order: _, needs: _, hints: _, prints: _, old_prints: _ }) =
        node
    else {
        return ABSENT.into();
    };
    let mut hasher = blake3::Hasher::new();
    let mut part = |text: &str| {
        hasher.update(text.as_bytes());
        hasher.update(b"\0");
    };
    part(&address.path());
    part(spec.as_json());
    part(owner.as_deref().unwrap_or("\u{1}"));
    part(comment.as_deref().unwrap_or("\u{1}"));
    part(&serde_json::to_string(grants).unwrap_or_default());
    hasher.finalize().to_hex().chars().take(16).collect()
}

/// The digest of what a kind knows of a node, facets aside.
pub fn spec_fingerprint(node: Option<&Node>) -> String {
    let digest = |node: &Node| blake3::hash(node.spec.as_json().as_bytes()).to_hex().chars().take(16).collect();
    node.map_or_else(|| ABSENT.to_owned(), digest)
}

/// The paths at which two models differ.
pub fn changed(before: &Model, after: &Model) -> BTreeSet<String> {
    let same =
        |a: &Node, b: &Node| a.spec == b.spec && a.owner == b.owner && a.comment == b.comment && a.grants == b.grants;
    let differs = |(old, new): &(Option<&Node>, Option<&Node>)| !matches!((old, new), (Some(a), Some(b)) if same(a, b));
    let differing = Pairs::of(before, after).filter(differs);
    differing.filter_map(|(old, new)| Some(new.or(old)?.address.path())).collect()
}

/// The fingerprints of what a plan touches and of what depends on it.
pub fn fingerprints(touched: &BTreeSet<Address>, actual: &Model, surroundings: &Surroundings) -> Fingerprints {
    let mut addresses = touched.clone();
    for node in actual.nodes() {
        let user = node.needs.iter().any(|need| touched.contains(need));
        let below = node.address.parent().is_some_and(|p| touched.contains(&p));
        if user || below {
            addresses.insert(node.address.clone());
        }
    }
    for address in touched {
        let mut above = address.parent();
        while let Some(parent) = above {
            above = parent.parent();
            addresses.insert(parent);
        }
    }
    Fingerprints {
        things: addresses.iter().map(|a| (a.path(), fingerprint(actual.get(a)))).collect(),
        default_privileges: surroundings.default_acl.clone(),
        changed: Vec::new(),
    }
}
