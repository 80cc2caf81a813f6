//! What one file says and every file may rest on: settings, templates, and what is external.
//!
//! As long as these are the same, what a file declares is a matter of that file alone, so that the others need not be
//! read again.

use super::{files::relative, settings};
use crate::yaml::{Value, Yaml};
use std::path::Path;

/// Which files hold that, and what they say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Basis {
    /// Paths below the root, sorted.
    pub files: Vec<String>,
    /// Of the settings and templates themselves: where they stand and how they are laid out does not count.
    pub digest: String,
    /// Likewise of what is external; empty if nothing is.
    pub external: String,
}

impl Basis {
    pub fn of(trees: &[Yaml], root: &Path) -> Self {
        let mut basis = Self::default();
        let mut hasher = blake3::Hasher::new();
        let mut external = blake3::Hasher::new();
        for tree in trees {
            let before = hasher.count() + external.count();
            tree.entries().filter(|(k, _)| k.text == super::external::KEY).for_each(|(_, v)| digest(v, &mut external));
            for (key, value) in
                tree.entries().filter(|(k, _)| k.text == "templates" || settings::keys().any(|known| known == k.text))
            {
                text(&key.text, &mut hasher);
                digest(value, &mut hasher);
            }
            if hasher.count() + external.count() > before {
                basis.files.push(relative(root, &tree.pos.file));
            }
        }
        basis.files.sort();
        basis.digest = super::files::short(&hasher.finalize());
        if external.count() > 0 {
            basis.external = super::files::short(&external.finalize());
        }
        basis
    }
}

/// Feeds a tree so that no two different ones feed the same.
fn digest(yaml: &Yaml, hasher: &mut blake3::Hasher) {
    match &yaml.value {
        Value::Scalar(scalar) => {
            hasher.update(if scalar.is_null() { b"~" } else { b"=" });
            text(&scalar.text, hasher);
        }
        Value::List(values) => {
            hasher.update(b"[");
            hasher.update(&values.len().to_le_bytes());
            values.iter().for_each(|value| digest(value, hasher));
        }
        Value::Map(entries) => {
            hasher.update(b"{");
            hasher.update(&entries.len().to_le_bytes());
            for (key, value) in entries {
                text(&key.text, hasher);
                digest(value, hasher);
            }
        }
    }
}

fn text(text: &str, hasher: &mut blake3::Hasher) {
    hasher.update(&text.len().to_le_bytes());
    hasher.update(text.as_bytes());
}
