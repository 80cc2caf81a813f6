//! The registry: the one list of kinds. Its order breaks ties in plans: what is usually needed by others comes first.

use super::{Kind, Section};
use crate::model::{Address, Node};
use std::sync::LazyLock;

/// All kinds.
pub const KINDS: &[&dyn Kind] = &[
    &super::schema::Schema,
    // Others' collations and operators come before all that may use them; what such a thing needs comes before it.
    &super::stand_in::StandIn,
    &super::extension::Extension,
    &super::enumeration::Enum,
    &super::sequence::Sequence,
    &super::domain::Domain,
    &super::function::Function,
    &super::procedure::Procedure,
    &super::table::Table,
    &super::column::Column,
    &super::primary_key::PrimaryKey,
    &super::unique::Unique,
    &super::check::Check,
    &super::exclusion::Exclusion,
    &super::view::View,
    &super::materialized_view::MaterializedView,
    &super::view_column::ViewColumn,
    &super::index::Index,
    &super::row::ReferenceRow,
    &super::foreign_key::ForeignKey,
    &super::trigger::Trigger,
    &super::policy::Policy,
    &super::row_security::RowSecurity,
];

/// The kind of that name.
pub fn find(name: &str) -> Option<&'static dyn Kind> {
    KINDS.iter().copied().find(|k| k.name() == name)
}

/// The kind of an address; every address in a model has one.
pub fn kind_of(address: &Address) -> &'static dyn Kind {
    find(address.kind()).unwrap_or(KINDS[0])
}

/// The kind that a path such as `primary key orders_pkey` starts with.
pub fn kind_of_path(path: &str) -> Option<&'static str> {
    // The longest first: `row security` is not a `row` called `security`.
    static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let mut names: Vec<&str> = KINDS.iter().map(|kind| kind.name()).collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        names
    });
    let starts = |name: &str| path.as_bytes().get(name.len()) == Some(&b' ') && path.starts_with(name);
    NAMES.iter().copied().find(|name| starts(name))
}

/// The sections that kinds have under a parent kind ("" for the top of a declaration).
pub fn child_sections(parent: &str) -> impl Iterator<Item = (&'static Section, &'static dyn Kind)> + '_ {
    KINDS
        .iter()
        .flat_map(|kind| kind.sections().iter().map(move |s| (s, *kind)))
        .filter(move |(s, _)| s.parent == parent)
}

/// The place of a kind in the registry.
pub fn rank(name: &str) -> usize {
    KINDS.iter().position(|k| k.name() == name).unwrap_or(KINDS.len())
}

/// All name spaces in which a node takes a name, as (space, name).
pub fn names(node: &Node) -> Vec<(String, String)> {
    let kind = kind_of(&node.address);
    kind.slots(node).into_iter().chain(kind.hidden(node)).collect()
}

/// The roles that a node names: its owner, its grantees, and those its kind knows of.
pub fn roles(node: &Node) -> Vec<String> {
    let mut roles = kind_of(&node.address).roles(node);
    roles.extend(node.owner.as_deref().map(str::to_owned));
    roles.extend(node.grants.iter().flat_map(|g| g.0.keys()).filter(|r| *r != "public").cloned());
    roles
}

/// The schema and the name of a routine, which several may share: a call tells them apart by its arguments only. None of
/// anything else.
pub fn overloaded_name(address: &Address) -> Option<(Option<Address>, String)> {
    let is_routine = matches!(address.kind(), "function" | "procedure");
    Some((address.parent(), super::routine::bare_name(address).filter(|_| is_routine)?))
}

/// Whether two routines differ only in their arguments.
pub fn are_overloads(a: &Address, b: &Address) -> bool {
    a != b && overloaded_name(a).is_some() && overloaded_name(a) == overloaded_name(b)
}

#[cfg(test)]
mod tests {
    use super::{kind_of_path, KINDS};
    use crate::model::Address;

    #[test]
    fn every_path_reads_back_as_its_address() {
        let odd = [
            "",
            " ",
            "a",
            "A b",
            "a/b",
            "/",
            "\\",
            "\\\\",
            "a\\/b",
            "\\u{41}",
            "u{41}",
            "new\nline",
            "\u{7f}",
            "\u{85}",
            "é",
            "🐘",
            "a, b",
            "f(a integer, b text)",
            "\"",
            "security",
            "schema x",
            "x/table y/column z",
        ];
        let mut names: Vec<String> = odd.map(str::to_owned).to_vec();
        for kind in KINDS {
            // What could be read as a kind of its own, or as the rest of a kind's name.
            for words in [kind.name(), kind.name().split_once(' ').map_or("", |(_, rest)| rest)] {
                names.extend(["", " ", " x", " \\x", "/x"].map(|end| format!("{words}{end}")));
            }
        }
        let mut paths = std::collections::HashMap::new();
        for kind in KINDS {
            for name in &names {
                for address in [
                    Address::root(kind.name(), name),
                    Address::root("schema", "app").child("table", name).child(kind.name(), name),
                    Address::root(kind.name(), name).child("row", name).child("row security", ""),
                ] {
                    let path = address.path();
                    assert_eq!(Address::parse(&path, kind_of_path), Some(address.clone()), "{path}");
                    let other = paths.insert(path, address.clone());
                    assert!(other.is_none_or(|other| other == address));
                }
            }
        }
    }
}
