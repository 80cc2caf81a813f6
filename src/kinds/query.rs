//! What views and materialized views share: a query, the columns it gives, and what is said of them.

use super::early::needs_of;
use super::included::include;
use super::relation::relation;
use super::*;
use crate::error::Problem;
use crate::sql::{literal, Fragment, Ident, Shape};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A column as the query gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputColumn {
    pub name: String,
    /// With COLLATE where the collation is not the type's own; empty in drafts, where nobody knows it.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub ty: String,
}

/// What is said of a column besides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ColumnSetting {
    /// The default that an INSERT into a view takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
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
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, ColumnSetting>,
}

pub const QUERY: Key = Key { name: "query", form: Form::Sql(Shape::Query), doc: "The query." };
pub const FILE: Key = Key { name: "file", form: Form::Text, doc: "A file beside this one that holds the query." };
pub const WAS: Key = Key { name: "was", form: Form::Text, doc: "The name it had before." };

const COMMENT: Key = Key { name: "comment", form: Form::Text, doc: "COMMENT ON COLUMN." };
const DEFAULT: Key = Key { name: "default", form: Form::Sql(Shape::Expression), doc: "What an INSERT takes." };

pub const VIEW_COLUMNS: Key = Key {
    name: "columns",
    form: Form::Either(&[Form::Names, Form::Map(&Form::Record(&[DEFAULT, COMMENT]))]),
    doc: "Names for the query's columns, or a map of what is said of some of them.",
};
pub const COLUMNS: Key = Key {
    name: "columns",
    form: Form::Either(&[Form::Names, Form::Map(&Form::Record(&[COMMENT]))]),
    doc: "Names for the query's columns, or a map of what is said of some of them.",
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
            for (column, of) in columns.entries() {
                let text = |key: &str| of.text(key).map(|s| s.text.clone()).filter(|text| !text.is_empty());
                let setting = ColumnSetting { default: text("default"), comment: text("comment") };
                if setting != ColumnSetting::default() {
                    body.settings.insert(column.text.clone(), setting);
                }
            }
        }
        Some(Self { body, scalar })
    }

    /// Notes the fragments of the body.
    pub fn fragments(&self, yaml: &Yaml, draft: &mut Draft) {
        draft.fragment_text(Shape::Query, &self.body.query, self.scalar.as_ref());
        for (_, of) in yaml.get("columns").into_iter().flat_map(Yaml::entries) {
            if let Some(default) = of.text("default") {
                draft.fragment(Shape::Expression, default);
            }
        }
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
    /// The body in a catalog row: query, then arrays of names, types, defaults and comments.
    pub fn from_row(row: &Row, at: usize) -> Result<Self> {
        let query: &str = row.try_get(at)?;
        let names: Vec<String> = row.try_get::<_, Option<_>>(at + 1)?.unwrap_or_default();
        let types: Vec<String> = row.try_get::<_, Option<_>>(at + 2)?.unwrap_or_default();
        let defaults: Vec<Option<String>> = row.try_get::<_, Option<_>>(at + 3)?.unwrap_or_default();
        let comments: Vec<Option<String>> = row.try_get::<_, Option<_>>(at + 4)?.unwrap_or_default();
        let said = defaults.into_iter().zip(comments).map(|(default, comment)| ColumnSetting { default, comment });
        let settings = names.iter().cloned().zip(said).filter(|(_, said)| *said != ColumnSetting::default()).collect();
        let columns = names.into_iter().zip(types).map(|(name, ty)| OutputColumn { name, ty }).collect();
        Ok(Self { query: query.trim().trim_end_matches(';').to_owned(), columns, settings })
    }

    /// The keys of the body in YAML. The query names its columns itself.
    pub fn write(self, yaml: &mut serde_yaml::Mapping) {
        let Self { query, columns: _, settings } = self;
        // A line break at the end makes the better looking block.
        let query = if query.contains('\n') { format!("{query}\n") } else { query };
        yaml.insert("query".into(), query.into());
        if settings.is_empty() {
            return;
        }
        let one = |(name, said): (String, ColumnSetting)| {
            let ColumnSetting { default, comment } = said;
            let said = [("default", default), ("comment", comment)];
            let said = said.into_iter().filter_map(|(key, text)| Some((key.into(), text?.into())));
            (name.into(), Value::Mapping(said.collect()))
        };
        yaml.insert("columns".into(), Value::Mapping(settings.into_iter().map(one).collect()));
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

    /// Statements for what is said of columns, from the old to the new; `word` is VIEW or MATERIALIZED VIEW.
    pub fn settings_changes(&self, old: Option<&Self>, address: &Address, word: &str) -> Vec<Change> {
        let nothing = ColumnSetting::default();
        let of = |body: Option<&Self>, name: &str| body.and_then(|b| b.settings.get(name)).unwrap_or(&nothing).clone();
        let old_names = old.into_iter().flat_map(|b| b.settings.keys());
        let names: std::collections::BTreeSet<&String> = self.settings.keys().chain(old_names).collect();
        let mut changes = Vec::new();
        for name in names {
            let (before, ColumnSetting { default, comment }) = (of(old, name), of(Some(self), name));
            let mut push =
                |sql: String, lock: Lock| changes.push(Change::new(sql, lock, std::slice::from_ref(address)));
            if before.default != default {
                let words = default.map_or_else(|| "DROP DEFAULT".to_owned(), |text| format!("SET DEFAULT {text}"));
                push(
                    format!("ALTER {word} {} ALTER COLUMN {} {words}", relation(address), Ident(name)),
                    Lock::AccessExclusive,
                );
            }
            if before.comment != comment {
                let text = comment.map_or_else(|| "NULL".to_owned(), |text| literal(&text));
                push(
                    format!("COMMENT ON COLUMN {}.{} IS {text}", relation(address), Ident(name)),
                    Lock::ShareUpdateExclusive,
                );
            }
        }
        changes
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
        let body = Self { query, columns: self.columns.clone(), settings: BTreeMap::new() };
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
