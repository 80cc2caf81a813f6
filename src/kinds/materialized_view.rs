//! Materialized views (manual, CREATE MATERIALIZED VIEW). Their rows are derived: nothing is lost with them
//! but the time it takes to fill them again. Whether they are filled is no part of the schema.

use super::query::{Body, Written};
use super::relation::relation;
use super::*;
use crate::sql::Ident;
use serde::{Deserialize, Serialize};

/// The materialized view kind.
pub struct MaterializedView;

/// A materialized view: its query and how it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaterializedViewSpec {
    #[serde(flatten)]
    pub body: Body,
    /// Storage parameters as `name=value`, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<String>,
    /// Table access method; None is heap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
}

static FORM: Form = Form::Record(&[
    query::WAS,
    query::QUERY,
    query::FILE,
    query::COLUMNS,
    Key { name: "with", form: Form::Map(&Form::Text), doc: "Storage parameters, such as fillfactor." },
    Key { name: "method", form: Form::Name, doc: "Table access method." },
    Key { name: "with_data", form: Form::Flag, doc: "Whether it is filled when it is created; true if absent." },
]);

/// Whether it has no rows yet, and so cannot be read. That is state: a refresh or a new declaration changes nothing
/// that is compared.
fn is_empty(node: &Node) -> bool {
    node.hints.as_ref().is_some_and(|hints| hints.without_data)
}

impl Kind for MaterializedView {
    fn name(&self) -> &'static str {
        "materialized view"
    }

    fn sections(&self) -> &'static [Section] {
        &[Section { parent: "", key: "materialized_views", many: Many::Named, doc: "Materialized views by name." }]
    }

    fn form(&self) -> &'static Form {
        &FORM
    }

    fn facets(&self) -> &'static [Facet] {
        &[Facet::Owner, Facet::Comment, Facet::Grants]
    }

    fn declare(&self, _parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        let Some(address) = out.address(self.name(), name) else { return };
        let Some(written) = Written::read(name, yaml, out) else { return };
        let mut with: Vec<String> = yaml.get("with").into_iter().flat_map(table::parameters).collect();
        with.sort();
        let spec = MaterializedViewSpec {
            body: written.body.clone(),
            with,
            method: yaml.text("method").map(|s| s.text.clone()),
        };
        let draft = out.add(address, &spec, &name.pos);
        written.fragments(yaml, draft);
        if yaml.text("with_data").is_some() && !yaml.flag("with_data") {
            draft.hints().without_data = true;
        }
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        let MaterializedViewSpec { body, with, method } = node.spec.read().ok()?;
        let mut yaml = serde_yaml::Mapping::new();
        body.write(&mut yaml);
        if !with.is_empty() {
            yaml.insert("with".into(), table::write_parameters(&with));
        }
        if let Some(method) = method {
            yaml.insert("method".into(), method.into());
        }
        if is_empty(node) {
            yaml.insert("with_data".into(), false.into());
        }
        Some(Value::Mapping(yaml))
    }

    fn catalog(&self) -> Option<Catalog> {
        Some(Catalog { class: "pg_class", parent: "pg_namespace", query: include_str!("materialized_view.sql") })
    }

    fn printed(&self) -> &'static [&'static str] {
        &["query"]
    }

    fn read(&self, row: &Row, _parent: Option<&Address>) -> Result<Found> {
        let at = Catalog::FIRST;
        let with: Option<Vec<String>> = row.try_get(at + 4)?;
        let mut spec = MaterializedViewSpec {
            body: Body::from_row(row, at + 1)?,
            with: with.unwrap_or_default(),
            method: row.try_get(at + 5)?,
        };
        spec.with.sort();
        Ok(Found::of(row.try_get(at)?, &spec))
    }

    fn state(&self, row: &Row) -> Result<Option<Hints>> {
        let populated: bool = row.try_get(Catalog::FIRST + 6)?;
        Ok((!populated).then(|| Hints { without_data: true, ..Hints::default() }))
    }

    fn plain_words(&self, spec: &mut serde_json::Value) {
        super::table::plain_parameters(spec);
    }

    fn phrase(&self, node: &Node) -> String {
        format!("MATERIALIZED VIEW {}", relation(&node.address))
    }

    fn computes(&self, node: &Node) -> Option<String> {
        node.spec.read::<MaterializedViewSpec>().ok().map(|spec| spec.body.query)
    }

    fn reads_as_owner(&self, _node: &Node) -> bool {
        true
    }

    fn create(&self, node: &Node, riders: &[&Node], scope: &Scope) -> Vec<Change> {
        let Ok(spec) = node.spec.read::<MaterializedViewSpec>() else { return Vec::new() };
        let MaterializedViewSpec { body, with, method } = &spec;
        // One that takes the place of a filled one is filled, whatever was wanted of a new one.
        let live = scope.actual.get(&node.address);
        let populated = !is_empty(node) || live.is_some_and(|live| !is_empty(live));
        let mut sql = format!("CREATE MATERIALIZED VIEW {}", body.named(&node.address));
        if let Some(method) = method {
            sql.push_str(&format!(" USING {}", Ident(method)));
        }
        if !with.is_empty() {
            sql.push_str(&format!(" WITH ({})", table::sql_parameters(with)));
        }
        sql.push_str(&format!(" AS\n{}\nWITH {}DATA", body.query, if populated { "" } else { "NO " }));
        let anew = scope.has_rows(&node.address);
        let change = Change::new(sql, Lock::None, &[])
            .hazard_if(anew, Hazard::Rewrites, "its rows are computed anew")
            .hazard_if(anew, Hazard::BlocksReads, "nobody can read it until its rows are there again");
        let mut changes = vec![change];
        changes.extend(query::of_riders(riders, scope));
        changes
    }

    fn drop(&self, node: &Node, _scope: &Scope) -> Vec<Change> {
        let sql = format!("DROP {}", self.phrase(node));
        vec![Change::new(sql, Lock::AccessExclusive, std::slice::from_ref(&node.address))]
    }

    fn alter(&self, old: &Node, new: &Node, _scope: &Scope) -> Alter {
        let (Ok(a), Ok(b)) = (old.spec.read::<MaterializedViewSpec>(), new.spec.read::<MaterializedViewSpec>()) else {
            return Alter::Replace;
        };
        let MaterializedViewSpec { body, with, method } = &b;
        if body.query != a.body.query || body.columns != a.body.columns || *method != a.method {
            return Alter::Replace;
        }
        let on = std::slice::from_ref(&new.address);
        let changes = table::parameter_changes(&a.with, with)
            .into_iter()
            .map(|words| Change::new(format!("ALTER {} {words}", self.phrase(new)), Lock::ShareUpdateExclusive, on));
        Alter::InPlace(changes.collect())
    }

    fn rename(&self, node: &Node, to: &str) -> Option<Change> {
        let sql = format!("ALTER {} RENAME TO {}", self.phrase(node), Ident(to));
        Some(Change::new(sql, Lock::AccessExclusive, std::slice::from_ref(&node.address)))
    }

    fn slots(&self, node: &Node) -> Vec<(String, String)> {
        query::slots(node)
    }

    fn grantable(&self, node: &Node, major: u32) -> Option<Grantable> {
        Some(query::grantable(node, major))
    }
}
