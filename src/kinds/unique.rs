//! Unique constraints (manual, section 5.5.3).

use super::key::{self, KeySpec};
use super::*;
use crate::sql::column::Deferral;

/// The unique constraint kind.
pub struct Unique;

static FORM: Form = Form::Either(&[
    Form::Names,
    Form::Record(&[
        Key { name: "columns", form: Form::Names, doc: "Its columns." },
        Key { name: "include", form: Form::Names, doc: "Columns that its index holds besides." },
        Key { name: "nulls_not_distinct", form: Form::Flag, doc: "NULLs count as equal (15 and later)." },
        Key { name: "deferrable", form: Form::Flag, doc: "DEFERRABLE." },
        Key { name: "initially_deferred", form: Form::Flag, doc: "DEFERRABLE INITIALLY DEFERRED." },
        Key { name: "without_overlaps", form: Form::Flag, doc: "WITHOUT OVERLAPS on the last column (18 and later)." },
        Key { name: "with", form: Form::Map(&Form::Text), doc: "Storage parameters of its index." },
        Key { name: "was", form: Form::Name, doc: "The name it had before." },
    ]),
]);

/// Declares the constraint that a column's own line holds.
pub fn declare_column(
    table: &Address,
    column: &str,
    name: Option<String>,
    nulls_not_distinct: bool,
    deferral: Deferral,
    at: &Scalar,
    out: &mut Drafts,
) {
    let name = name.unwrap_or_else(|| out.derive(table, column, "key"));
    out.add(table.child("unique", &name), &KeySpec::of_column(column, nulls_not_distinct, deferral), &at.pos);
}

impl Kind for Unique {
    fn name(&self) -> &'static str {
        "unique"
    }

    fn sections(&self) -> &'static [Section] {
        &[Section { parent: "table", key: "uniques", many: Many::Named, doc: "Unique constraints by name." }]
    }

    fn form(&self) -> &'static Form {
        &FORM
    }

    fn declare(&self, parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        let Some(table) = parent else { return };
        let spec = KeySpec::from_yaml(yaml);
        if spec.columns.is_empty() {
            out.problem(&yaml.pos, format!("unique constraint `{}` needs columns", name.text));
            return;
        }
        out.add(table.child("unique", &name.text), &spec, &name.pos).was(yaml);
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        let spec: KeySpec = node.spec.read().ok()?;
        match spec.to_map() {
            Some(map) => Some(Value::Mapping(map)),
            None if node.comment.is_none() => Some(key::list(&spec.columns).into()),
            None => Some(Value::Mapping([("columns".into(), spec.columns.into())].into_iter().collect())),
        }
    }

    fn catalog(&self) -> Option<Catalog> {
        let query = concat!(include_str!("key.sql"), " and k.contype = 'u' and i.indisunique and not i.indisprimary");
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
        key::add_with_index(node, &spec.definition("UNIQUE"), scope)
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

    fn clause(&self, node: &Node, scope: &Scope) -> Option<(String, Vec<Change>)> {
        let spec: KeySpec = node.spec.read().ok()?;
        let table = node.address.parent()?;
        // Of two keys over the same columns, CREATE TABLE makes only the first (transformIndexConstraints).
        let earlier = |n: &&Node| match n.address.kind() {
            "primary key" => true,
            kind => kind == self.name() && n.address < node.address,
        };
        let same = |n: &Node| n.spec.read::<KeySpec>().is_ok_and(|other| other.columns == spec.columns);
        if scope.desired.subtree(&table).filter(earlier).any(same) {
            return None;
        }
        Some((key::clause(node, &spec.definition("UNIQUE")), Vec::new()))
    }

    fn slots(&self, node: &Node) -> Vec<(String, String)> {
        key::slots_with_index(node)
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
