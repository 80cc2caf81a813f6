//! The least table that a foreign key could refer to: the columns of the key that it hangs on, and that key.
//!
//! PostgreSQL takes the first unique index over just the columns that are named (`transformFkeyCheckAttrs`), and of
//! these their types and collations. So a table with the same columns and that key alone does as well where no other
//! index fits.

use super::super::column::ColumnSpec;
use super::super::index::IndexSpec;
use super::super::key::KeySpec;
use super::super::table::TableSpec;
use super::ForeignKeySpec;
use crate::model::{Address, Model, Node, Spec};

/// The table and the columns that a key names; None if it cannot be told which table it is.
pub fn referent(node: &Node) -> Option<(Address, Vec<String>)> {
    let spec: ForeignKeySpec = node.spec.read().ok()?;
    if spec.period || spec.disabled {
        return None;
    }
    let table = match spec.references.schema.is_empty() {
        false => spec.references.address(),
        true => {
            let mut found = node.needs.iter().filter(|n| n.kind() == "table" && n.name() == spec.references.table);
            found.next().filter(|_| found.next().is_none())?.clone()
        }
    };
    Some((table, spec.target_columns))
}

/// The table with no more than `node` needs of it.
pub fn table(node: &Node, table: &Address, model: &Model) -> Option<Vec<Node>> {
    let (_, named) = referent(node)?;
    let children: Vec<&Node> = model.children(table).collect();
    let mut keys: Vec<(&Node, KeySpec)> = Vec::new();
    for child in &children {
        match child.address.kind() {
            "primary key" => keys.push((child, child.spec.read().ok()?)),
            "unique" if !named.is_empty() => keys.push((child, child.spec.read().ok()?)),
            "index" if !named.is_empty() && may_be_key(&child.spec.read().ok()?, &named) => return None,
            _ => {}
        }
    }
    keys.retain(|(_, key)| named.is_empty() || same_names(&key.columns, &named));
    let [(key, spec)] = keys.as_slice() else { return None };
    if spec.deferrable || spec.without_overlaps {
        return None;
    }
    let TableSpec { unlogged, with: _, replica_identity: _, method: _ } = model.get(table)?.spec.read().ok()?;
    let mut parts = vec![least(model.get(table)?, &TableSpec { unlogged, ..TableSpec::default() })];
    let bare =
        KeySpec { columns: spec.columns.clone(), nulls_not_distinct: spec.nulls_not_distinct, ..KeySpec::default() };
    parts.push(least(key, &bare));
    for column in &spec.columns {
        let column = model.get(&table.child("column", column))?;
        let ColumnSpec { ty, collation, .. } = column.spec.read().ok()?;
        parts.push(least(column, &ColumnSpec { ty, collation, ..ColumnSpec::default() }));
    }
    Some(parts)
}

fn least<T: serde::Serialize>(node: &Node, spec: &T) -> Node {
    Node { order: node.order, needs: node.needs.clone(), ..Node::new(node.address.clone(), Spec::of(spec)) }
}

fn same_names(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().all(|name| b.contains(name))
}

/// Whether it may be over just these columns. A draft's keys may stand in one text, with all that can follow a name.
fn may_be_key(index: &IndexSpec, columns: &[String]) -> bool {
    let text = index.keys.join(", ");
    if !index.unique || index.predicate.is_some() {
        return false;
    }
    let words: Vec<String> = text.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_lowercase).collect();
    let fits = text.split(',').count() == columns.len() && columns.iter().all(|c| words.contains(&c.to_lowercase()));
    fits || text.contains('"')
}

#[cfg(test)]
mod tests {
    use super::{may_be_key, IndexSpec};

    #[test]
    fn only_an_index_over_just_these_columns_is_a_key() {
        let unique = |keys: &str| IndexSpec { unique: true, keys: vec![keys.to_owned()], ..IndexSpec::default() };
        let may = |index: &IndexSpec, columns: &[&str]| {
            may_be_key(index, &columns.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>())
        };
        assert!(may(&unique("id"), &["id"]) && may(&unique("b desc, A"), &["a", "b"]));
        assert!(may(&unique("\"Id\""), &["Id"]));
        assert!(!may(&unique("tenant_id, id"), &["id"]) && !may(&unique("tenant_id"), &["id"]));
        assert!(!may(&IndexSpec { unique: false, ..unique("id") }, &["id"]));
        assert!(!may(&IndexSpec { predicate: Some("x".to_owned()), ..unique("id") }, &["id"]));
    }
}
