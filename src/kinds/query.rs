//! What views and materialized views share: a query, the columns it gives, and what is said of them.

use super::early::needs_of;
use super::included::include;
use super::relation::relation;
use super::*;
use crate::error::Problem;
use crate::sql::{Fragment, Ident, Shape};
use serde::{Deserialize, Serialize};

/// A column as the query gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputColumn {
    pub name: String,
    /// With COLLATE where the collation is not the type's own; empty in drafts, where nobody knows it.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub ty: String,
}

/// A query with its columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Body {
    /// Without a semicolon.
    pub query: String,
    /// In order; empty in drafts that leave the names to the query.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<OutputColumn>,
}

pub const QUERY: Key = Key { name: "query", form: Form::Sql(Shape::Query), doc: "The query." };
pub const FILE: Key = Key { name: "file", form: Form::Text, doc: "A file beside this one that holds the query." };
pub const WAS: Key = Key { name: "was", form: Form::Text, doc: "The name it had before." };

/// What is said of single columns is [`super::view_column`]'s.
pub const COLUMNS: Key = Key {
    name: "columns",
    form: Form::Names,
    doc: "Names for the query's columns; or a map from names to what is said of them.",
};

/// A body as written, and the scalar or file that its query came from.
pub struct Written {
    pub body: Body,
    scalar: Option<Scalar>,
}

impl Written {
    /// Reads `query` or `file`, and `columns`.
    pub fn read(name: &Scalar, yaml: &Yaml, out: &mut Drafts) -> Option<Self> {
        let (query, scalar) = match (yaml.text("query"), yaml.text("file")) {
            (Some(query), None) => (query.text.trim_end().to_owned(), Some(query.clone())),
            (None, Some(file)) => (from_file(file, out)?, None),
            (Some(_), Some(_)) => {
                out.problem(&name.pos, format!("`{}` has both `query` and `file`", form::brief(&name.text)));
                return None;
            }
            (None, None) => {
                out.problem(&name.pos, format!("`{}` has no query: write `query` or `file`", form::brief(&name.text)));
                return None;
            }
        };
        let mut body = Body { query, ..Body::default() };
        if let Some(columns) = yaml.get("columns") {
            body.columns = columns.names().into_iter().map(|name| OutputColumn { name, ty: String::new() }).collect();
        }
        Some(Self { body, scalar })
    }

    /// Notes the fragments of the body.
    pub fn fragments(&self, yaml: &Yaml, draft: &mut Draft) {
        draft.fragment_text(Shape::Query, &self.body.query, self.scalar.as_ref());
        draft.was(yaml);
    }
}

/// The query in a file, which may end in a semicolon there.
fn from_file(file: &Scalar, out: &mut Drafts) -> Option<String> {
    let included = include(file, out)?;
    let text = included.text.trim_end();
    let query = text.strip_suffix(';').unwrap_or(text);
    if let Err(mistake) = Fragment::new(Shape::Query, query).check() {
        out.problems.push(Problem::new(&included.position_of(mistake.offset), mistake.message));
        return None;
    }
    Some(query.to_owned())
}

impl Body {
    /// The body in a catalog row: query, then arrays of names and types.
    pub fn from_row(row: &Row, at: usize) -> Result<Self> {
        let query: &str = row.try_get(at)?;
        let names: Vec<String> = row.try_get::<_, Option<_>>(at + 1)?.unwrap_or_default();
        let types: Vec<String> = row.try_get::<_, Option<_>>(at + 2)?.unwrap_or_default();
        let columns = names.into_iter().zip(types).map(|(name, ty)| OutputColumn { name, ty }).collect();
        Ok(Self { query: query.trim().trim_end_matches(';').to_owned(), columns })
    }

    /// The keys of the body in YAML. The query names its columns itself.
    pub fn write(self, yaml: &mut serde_yaml::Mapping) {
        let Self { query, columns: _ } = self;
        // A line break at the end makes the better looking block.
        let query = if query.contains('\n') { format!("{query}\n") } else { query };
        yaml.insert("query".into(), query.into());
    }

    /// `name (columns)` after CREATE.
    pub fn named(&self, address: &Address) -> String {
        let columns: Vec<String> = self.columns.iter().map(|c| Ident(&c.name).to_string()).collect();
        if columns.is_empty() {
            relation(address)
        } else {
            format!("{} ({})", relation(address), columns.join(", "))
        }
    }

    /// A body of the same columns that needs nothing but their types; None where these are not known.
    pub fn early(&self, node: &Node) -> Option<(Self, Vec<Address>)> {
        if self.columns.is_empty() || self.columns.iter().any(|c| c.ty.is_empty()) {
            return None;
        }
        let each = self.columns.iter().map(|c| format!("NULL::{} AS {}", c.ty, Ident(&c.name)));
        let query = format!("SELECT {}", each.collect::<Vec<_>>().join(", "));
        if query == self.query {
            return None;
        }
        let types: Vec<Fragment> = self.columns.iter().map(|c| Fragment::new(Shape::Type, c.ty.as_str())).collect();
        let body = Self { query, columns: self.columns.clone() };
        Some((body, needs_of(node, &types)))
    }
}

/// Views of both kinds are relations, and each has a row type.
pub fn slots(node: &Node) -> Vec<(String, String)> {
    let name = relation(&node.address);
    vec![("relation".into(), name.clone()), ("type".into(), name)]
}

pub fn grantable(node: &Node, major: u32) -> Grantable {
    Grantable {
        on: format!("TABLE {}", relation(&node.address)),
        column: None,
        privileges: table::table_privileges(major),
        default_class: 'r',
        public: &[],
    }
}

/// What follows the CREATE of a view for the columns that ride in it.
pub fn of_riders(riders: &[&Node], scope: &Scope) -> Vec<Change> {
    riders.iter().filter_map(|rider| kind_of(&rider.address).clause(rider, scope)).flat_map(|(_, more)| more).collect()
}
