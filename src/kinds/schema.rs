//! Schemas (manual, section 5.10).

use super::*;
use crate::sql::Ident;

/// The schema kind.
pub struct Schema;

/// Nothing but its name and facets.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct SchemaSpec {}

impl Kind for Schema {
    fn name(&self) -> &'static str {
        "schema"
    }

    fn sections(&self) -> &'static [Section] {
        &[Section { parent: "", key: "schema", many: Many::Named, doc: "Owner, comment and grants of owned schemas." }]
    }

    fn form(&self) -> &'static Form {
        &Form::Record(&[])
    }

    fn facets(&self) -> &'static [Facet] {
        &[Facet::Owner, Facet::Comment, Facet::Grants]
    }

    fn declare(&self, _parent: Option<&Address>, name: &Scalar, _yaml: &Yaml, out: &mut Drafts) {
        out.add(Address::root("schema", &name.text), &SchemaSpec {}, &name.pos);
    }

    fn write(&self, _node: &Node, _model: &Model) -> Option<Value> {
        Some(Value::Mapping(serde_yaml::Mapping::new()))
    }

    fn is_given(&self, node: &Node) -> bool {
        node.address.name() == "public"
    }

    fn catalog(&self) -> Option<Catalog> {
        Some(Catalog { class: "pg_namespace", parent: "", query: include_str!("schema.sql") })
    }

    fn read(&self, row: &Row, _parent: Option<&Address>) -> Result<Found> {
        Ok(Found::of(row.try_get(Catalog::FIRST)?, &SchemaSpec {}))
    }

    fn phrase(&self, node: &Node) -> String {
        format!("SCHEMA {}", Ident(node.address.name()))
    }

    fn create(&self, node: &Node, _riders: &[&Node], _scope: &Scope) -> Vec<Change> {
        vec![Change::new(format!("CREATE {}", self.phrase(node)), Lock::None, &[])]
    }

    fn drop(&self, node: &Node, _scope: &Scope) -> Vec<Change> {
        vec![Change::new(format!("DROP {}", self.phrase(node)), Lock::AccessExclusive, &[])]
    }

    fn alter(&self, old: &Node, new: &Node, _scope: &Scope) -> Alter {
        let _ = (old, new);
        Alter::InPlace(Vec::new())
    }

    fn grantable(&self, node: &Node, _major: u32) -> Option<Grantable> {
        Some(Grantable {
            on: self.phrase(node),
            column: None,
            privileges: &["create", "usage"],
            default_class: 'n',
            public: &[],
        })
    }
}
