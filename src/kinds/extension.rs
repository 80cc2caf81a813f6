//! Extensions (manual, section 36.17; CREATE EXTENSION). They belong to the database, not to a schema; their
//! comment comes from their control file, their version from the server: neither is compared.

use super::*;
use crate::sql::Ident;
use serde::{Deserialize, Serialize};

/// The extension kind.
pub struct Extension;

/// Where an extension puts what it makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtensionSpec {
    pub schema: String,
}

/// Those whose default version does not say that it is trusted.
const WITHHELD: &str = "\
select e.name::text
from pg_available_extensions e
join pg_available_extension_versions v on v.name = e.name and v.version = e.default_version
where e.name = any ($1) and v.superuser and not v.trusted
order by e.name";

const DEFAULT_SCHEMA: &str = "public";

static FORM: Form = Form::Record(&[
    Key { name: "schema", form: Form::Name, doc: "The schema that it puts its things in; `public` if absent." },
    Key { name: "version", form: Form::Text, doc: "A note for readers: the server installs its default version." },
]);

impl Kind for Extension {
    fn name(&self) -> &'static str {
        "extension"
    }

    fn sections(&self) -> &'static [Section] {
        &[Section { parent: "", key: "extensions", many: Many::Named, doc: "Extensions: a list of names, or a map." }]
    }

    fn form(&self) -> &'static Form {
        &FORM
    }

    fn facets(&self) -> &'static [Facet] {
        &[]
    }

    fn declare(&self, _parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        let schema = yaml.text("schema").map_or(DEFAULT_SCHEMA, |s| &s.text).to_owned();
        let owned = out.schemas.contains(&schema);
        let needs = Address::root("schema", &schema);
        let draft = out.add(Address::root("extension", &name.text), &ExtensionSpec { schema }, &name.pos);
        if owned {
            draft.node.needs.push(needs);
        }
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        let ExtensionSpec { schema } = node.spec.read().ok()?;
        let mut yaml = serde_yaml::Mapping::new();
        if schema != DEFAULT_SCHEMA {
            yaml.insert("schema".into(), schema.into());
        }
        Some(Value::Mapping(yaml))
    }

    fn catalog(&self) -> Option<Catalog> {
        Some(Catalog { class: "pg_extension", parent: "", query: include_str!("extension.sql") })
    }

    fn read(&self, row: &Row, _parent: Option<&Address>) -> Result<Found> {
        let at = Catalog::FIRST;
        let spec = ExtensionSpec { schema: row.try_get(at + 1)? };
        Ok(Found::of(row.try_get(at)?, &spec))
    }

    fn phrase(&self, node: &Node) -> String {
        format!("EXTENSION {}", Ident(node.address.name()))
    }

    fn create(&self, node: &Node, _riders: &[&Node], _scope: &Scope) -> Vec<Change> {
        let Ok(ExtensionSpec { schema }) = node.spec.read() else { return Vec::new() };
        let name = Ident(node.address.name());
        let sql = format!("CREATE EXTENSION IF NOT EXISTS {name} WITH SCHEMA {}", Ident(&schema));
        vec![Change::new(sql, Lock::None, &[])]
    }

    fn drop(&self, node: &Node, _scope: &Scope) -> Vec<Change> {
        let change = Change::new(format!("DROP {}", self.phrase(node)), Lock::AccessExclusive, &[]);
        vec![change.hazard(Hazard::DataLoss, "the extension's own tables and settings go with it")]
    }

    fn alter(&self, old: &Node, new: &Node, _scope: &Scope) -> Alter {
        let (Ok(before), Ok(after)) = (old.spec.read::<ExtensionSpec>(), new.spec.read::<ExtensionSpec>()) else {
            return Alter::Refuse("its state cannot be read".into());
        };
        let ExtensionSpec { schema } = after;
        if before.schema == schema {
            return Alter::InPlace(Vec::new());
        }
        let sql = format!("ALTER {} SET SCHEMA {}", self.phrase(new), Ident(&schema));
        Alter::InPlace(vec![Change::new(sql, Lock::None, &[])])
    }

    fn withheld(&self) -> Option<&'static str> {
        Some(WITHHELD)
    }

    fn rebind(&self, _node: &Node, _below: &Address, _cause: Cause, _scope: &Scope) -> Rebind {
        // Dropping an extension drops types that columns use: nothing below it is worth that.
        Rebind::Keep
    }
}
