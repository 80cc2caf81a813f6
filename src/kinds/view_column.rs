//! Columns of views and materialized views: what is said of them besides the query that gives them (manual, ALTER
//! VIEW, COMMENT, GRANT). They come and go with their view.

use super::relation::relation;
use super::*;
use crate::sql::{Ident, Shape};
use serde::{Deserialize, Serialize};

/// The view column kind.
pub struct ViewColumn;

/// Its name and type belong to the view.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewColumnSpec {
    /// The default that an INSERT into a view takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

static FORM: Form = Form::Record(&[Key {
    name: "default",
    form: Form::Sql(Shape::Expression),
    doc: "What an INSERT into a view takes.",
}]);

const DOC: &str = "What is said of the query's columns, by name.";

impl ViewColumnSpec {
    fn changes(&self, node: &Node, old: Option<&Self>) -> Vec<Change> {
        let Self { default } = self;
        if *default == old.and_then(|old| old.default.clone()) {
            return Vec::new();
        }
        let words = default.as_ref().map_or_else(|| "DROP DEFAULT".to_owned(), |text| format!("SET DEFAULT {text}"));
        let sql = format!("ALTER VIEW {} ALTER COLUMN {} {words}", relation(&node.address), Ident(node.address.name()));
        vec![Change::new(sql, Lock::AccessExclusive, &super::relation::table_of(&node.address))]
    }
}

impl Kind for ViewColumn {
    fn name(&self) -> &'static str {
        "view column"
    }

    fn sections(&self) -> &'static [Section] {
        &[
            Section { parent: "view", key: "columns", many: Many::Named, doc: DOC },
            Section { parent: "materialized view", key: "columns", many: Many::Named, doc: DOC },
        ]
    }

    fn form(&self) -> &'static Form {
        &FORM
    }

    fn facets(&self) -> &'static [Facet] {
        &[Facet::Comment, Facet::Grants]
    }

    fn declare(&self, parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        let Some(view) = parent else { return };
        let default = yaml.text("default");
        if let Some(default) = default.filter(|_| view.kind() != "view") {
            out.problem(&default.pos, format!("nothing is inserted into a {}: it takes no default", view.kind()));
        }
        let spec = ViewColumnSpec { default: default.map(|s| s.text.clone()) };
        let draft = out.add(view.child(self.name(), &name.text), &spec, &name.pos);
        if let Some(default) = default {
            draft.fragment(Shape::Expression, default);
        }
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        let ViewColumnSpec { default } = node.spec.read().ok()?;
        let said = default.map(|text| ("default".into(), text.into()));
        Some(Value::Mapping(said.into_iter().collect()))
    }

    fn is_implied(&self) -> bool {
        true
    }

    fn catalog(&self) -> Option<Catalog> {
        Some(Catalog { class: "pg_class", parent: "pg_class", query: include_str!("view_column.sql") })
    }

    fn is_column(&self) -> bool {
        true
    }

    fn read(&self, row: &Row, _parent: Option<&Address>) -> Result<Found> {
        let at = Catalog::FIRST;
        let spec = ViewColumnSpec { default: row.try_get(at + 3)? };
        let order: i32 = row.try_get(2)?;
        Ok(Found { order: order.try_into().unwrap_or(0), ..Found::of(row.try_get(at)?, &spec) })
    }

    fn phrase(&self, node: &Node) -> String {
        format!("COLUMN {}.{}", relation(&node.address), Ident(node.address.name()))
    }

    fn create(&self, node: &Node, _riders: &[&Node], _scope: &Scope) -> Vec<Change> {
        node.spec.read::<ViewColumnSpec>().map(|spec| spec.changes(node, None)).unwrap_or_default()
    }

    fn drop(&self, _node: &Node, _scope: &Scope) -> Vec<Change> {
        // It falls with its view.
        Vec::new()
    }

    fn alter(&self, old: &Node, new: &Node, _scope: &Scope) -> Alter {
        match (old.spec.read::<ViewColumnSpec>(), new.spec.read::<ViewColumnSpec>()) {
            (Ok(a), Ok(b)) => Alter::InPlace(b.changes(new, Some(&a))),
            _ => Alter::InPlace(Vec::new()),
        }
    }

    fn clause(&self, node: &Node, scope: &Scope) -> Option<(String, Vec<Change>)> {
        Some((String::new(), self.create(node, &[], scope)))
    }

    fn stays_with_parent(&self) -> bool {
        true
    }

    fn early(&self, node: &Node) -> Option<Node> {
        let mut spec: ViewColumnSpec = node.spec.read().ok()?;
        spec.default.take()?;
        Some(Node { spec: Spec::of(&spec), needs: Vec::new(), ..node.clone() })
    }

    fn rebind(&self, node: &Node, _below: &Address, cause: Cause, _scope: &Scope) -> Rebind {
        let Ok(spec) = node.spec.read::<ViewColumnSpec>() else { return Rebind::Keep };
        if cause == Cause::Rebuilt || spec.default.is_none() {
            return Rebind::Keep;
        }
        let without = ViewColumnSpec::default();
        Rebind::Lift { before: without.changes(node, Some(&spec)), after: spec.changes(node, None) }
    }

    fn grantable(&self, node: &Node, _major: u32) -> Option<Grantable> {
        Some(column::grantable(node))
    }
}
