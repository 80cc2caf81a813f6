//! Primary keys (manual, section 5.5.4).

use super::key::{self, KeySpec};
use super::*;
use crate::sql::column::Deferral;
use crate::sql::{name, Ident};

/// The primary key kind.
pub struct PrimaryKey;

static FORM: Form = Form::Either(&[
    Form::Names,
    Form::Record(&[
        Key { name: "name", form: Form::Name, doc: "Its name; derived from the table's if absent." },
        Key { name: "columns", form: Form::Names, doc: "Its columns." },
        Key { name: "include", form: Form::Names, doc: "Columns that its index holds besides." },
        Key { name: "deferrable", form: Form::Flag, doc: "DEFERRABLE." },
        Key { name: "initially_deferred", form: Form::Flag, doc: "DEFERRABLE INITIALLY DEFERRED." },
        Key { name: "without_overlaps", form: Form::Flag, doc: "WITHOUT OVERLAPS on the last column (18 and later)." },
        Key { name: "with", form: Form::Map(&Form::Text), doc: "Storage parameters of its index." },
        Key { name: "was", form: Form::Name, doc: "The name it had before." },
    ]),
]);

/// Declares the key that a column's own line holds.
pub fn declare_column(
    table: &Address,
    column: &str,
    name: Option<String>,
    deferral: Deferral,
    at: &Scalar,
    out: &mut Drafts,
) {
    let name = name.unwrap_or_else(|| out.derive(table, "", "pkey"));
    out.add(table.child("primary key", &name), &KeySpec::of_column(column, false, deferral), &at.pos);
}

impl Kind for PrimaryKey {
    fn name(&self) -> &'static str {
        "primary key"
    }

    fn sections(&self) -> &'static [Section] {
        &[Section { parent: "table", key: "primary_key", many: Many::One, doc: "The primary key: columns, or a map." }]
    }

    fn form(&self) -> &'static Form {
        &FORM
    }

    fn declare(&self, parent: Option<&Address>, _name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        let Some(table) = parent else { return };
        let spec = KeySpec::from_yaml(yaml);
        if spec.columns.is_empty() {
            out.problem(&yaml.pos, "a primary key needs columns");
            return;
        }
        let name = match yaml.text("name") {
            Some(name) => name.text.clone(),
            None => out.derive(table, "", "pkey"),
        };
        out.add(table.child("primary key", &name), &spec, &yaml.pos).was(yaml);
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        let spec: KeySpec = node.spec.read().ok()?;
        let table = node.address.parent()?;
        let name = node.address.name();
        let named = name != name::derive(table.name(), "", "pkey", &|_| false);
        let map = spec.to_map();
        if !named && map.is_none() && node.comment.is_none() {
            return Some(match spec.columns.as_slice() {
                [column] => Ident(column).to_string().into(),
                columns => columns.to_vec().into(),
            });
        }
        let mut yaml = serde_yaml::Mapping::new();
        if named {
            yaml.insert("name".into(), name.into());
        }
        match map {
            Some(map) => yaml.extend(map),
            None => {
                yaml.insert("columns".into(), spec.columns.into());
            }
        }
        Some(Value::Mapping(yaml))
    }

    fn catalog(&self) -> Option<Catalog> {
        let query = concat!(include_str!("key.sql"), " and k.contype = 'p' and i.indisprimary");
        Some(Catalog { class: "pg_constraint", parent: "pg_class", query })
    }

    fn read(&self, row: &Row, _parent: Option<&Address>) -> Result<Found> {
        KeySpec::read(row)
    }

    fn completes_parent(&self) -> bool {
        true
    }

    fn plain_words(&self, spec: &mut serde_json::Value) {
        super::table::plain_parameters(spec);
    }

    fn phrase(&self, node: &Node) -> String {
        key::phrase(node)
    }

    fn create(&self, node: &Node, _riders: &[&Node], scope: &Scope) -> Vec<Change> {
        let Ok(spec) = node.spec.read::<KeySpec>() else { return Vec::new() };
        key::add_with_index(node, &spec.definition("PRIMARY KEY"), scope)
    }

    fn drop(&self, node: &Node, _scope: &Scope) -> Vec<Change> {
        vec![key::drop(node)]
    }

    fn alter(&self, old: &Node, new: &Node, _scope: &Scope) -> Alter {
        KeySpec::alter(old, new)
    }

    fn rename(&self, node: &Node, to: &str) -> Option<Change> {
        Some(key::rename(node, to))
    }

    fn clause(&self, node: &Node, _scope: &Scope) -> Option<(String, Vec<Change>)> {
        let spec: KeySpec = node.spec.read().ok()?;
        Some((key::clause(node, &spec.definition("PRIMARY KEY")), Vec::new()))
    }

    fn slots(&self, node: &Node) -> Vec<(String, String)> {
        // A table has one primary key, whatever its name.
        let only = node.address.parent().map(|table| ("primary key".to_owned(), table.path()));
        key::slots_with_index(node).into_iter().chain(only).collect()
    }

    fn bond(&self, node: &Node) -> Option<(String, String)> {
        KeySpec::target(node)
    }

    fn rebind(&self, node: &Node, below: &Address, cause: Cause, _scope: &Scope) -> Rebind {
        key::rebind(node, below, cause)
    }

    fn preflight(&self, old: Option<&Node>, new: &Node, scope: &Scope) -> Vec<Question> {
        new.spec.read::<KeySpec>().map(|spec| spec.preflight(old, new, scope)).unwrap_or_default()
    }
}
