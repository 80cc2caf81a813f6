//! Exclusion constraints (manual, CREATE TABLE, EXCLUDE).

use super::key;
use super::*;
use crate::sql::Shape;
use serde::{Deserialize, Serialize};

/// The exclusion constraint kind.
pub struct Exclusion;

/// What follows EXCLUDE, deferrability included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExclusionSpec {
    pub exclude: String,
}

static FORM: Form = Form::Either(&[
    Form::Sql(Shape::Exclusion),
    Form::Record(&[
        Key { name: "exclude", form: Form::Sql(Shape::Exclusion), doc: "What follows EXCLUDE." },
        Key { name: "was", form: Form::Name, doc: "The name it had before." },
    ]),
]);

impl ExclusionSpec {
    fn definition(&self) -> String {
        let Self { exclude } = self;
        format!("EXCLUDE {exclude}")
    }
}

impl Kind for Exclusion {
    fn name(&self) -> &'static str {
        "exclusion"
    }

    fn sections(&self) -> &'static [Section] {
        &[Section { parent: "table", key: "exclusions", many: Many::Named, doc: "Exclusion constraints by name." }]
    }

    fn form(&self) -> &'static Form {
        &FORM
    }

    fn declare(&self, parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        let Some(table) = parent else { return };
        let Some(line) = yaml.scalar().or_else(|| yaml.text("exclude")) else {
            out.problem(&yaml.pos, format!("exclusion `{}` does not say what it excludes", name.text));
            return;
        };
        let spec = ExclusionSpec { exclude: line.text.clone() };
        let draft = out.add(table.child("exclusion", &name.text), &spec, &name.pos);
        draft.was(yaml);
        draft.fragment(Shape::Exclusion, line);
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        let ExclusionSpec { exclude } = node.spec.read().ok()?;
        if node.comment.is_none() {
            return Some(exclude.into());
        }
        Some(Value::Mapping([("exclude".into(), exclude.into())].into_iter().collect()))
    }

    fn is_outward(&self) -> bool {
        false
    }

    fn catalog(&self) -> Option<Catalog> {
        Some(Catalog { class: "pg_constraint", parent: "pg_class", query: include_str!("exclusion.sql") })
    }

    fn printed(&self) -> &'static [&'static str] {
        &["exclude"]
    }

    fn read(&self, row: &Row, _parent: Option<&Address>) -> Result<Found> {
        let at = Catalog::FIRST;
        let spec = ExclusionSpec { exclude: row.try_get(at + 1)? };
        Ok(Found::of(row.try_get(at)?, &spec))
    }

    fn phrase(&self, node: &Node) -> String {
        key::phrase(node)
    }

    fn create(&self, node: &Node, _riders: &[&Node], scope: &Scope) -> Vec<Change> {
        let Ok(spec) = node.spec.read::<ExclusionSpec>() else { return Vec::new() };
        key::add_with_index(node, &spec.definition(), scope)
    }

    fn drop(&self, node: &Node, _scope: &Scope) -> Vec<Change> {
        vec![key::drop(node)]
    }

    fn alter(&self, old: &Node, new: &Node, _scope: &Scope) -> Alter {
        if old.spec == new.spec {
            Alter::InPlace(Vec::new())
        } else {
            Alter::Replace
        }
    }

    fn rename(&self, node: &Node, to: &str) -> Option<Change> {
        Some(key::rename(node, to))
    }

    fn clause(&self, node: &Node, _scope: &Scope) -> Option<(String, Vec<Change>)> {
        let spec: ExclusionSpec = node.spec.read().ok()?;
        Some((key::clause(node, &spec.definition()), Vec::new()))
    }

    fn stores_results(&self, node: &Node) -> Option<String> {
        Some(super::index::built_anew(node))
    }

    fn slots(&self, node: &Node) -> Vec<(String, String)> {
        key::slots_with_index(node)
    }

    fn rebind(&self, _node: &Node, below: &Address, cause: Cause, _scope: &Scope) -> Rebind {
        key::rebind_expression(below, cause)
    }
}
