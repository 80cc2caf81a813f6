//! Tables (manual, CREATE TABLE). Columns and constraints are kinds of their own that ride inside CREATE TABLE.

use super::relation::relation;
use super::sequence::SequenceSpec;
use super::*;
use crate::sql::Ident;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashSet;

/// The table kind.
pub struct Table;

/// What a table is beyond its children.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSpec {
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlogged: bool,
    /// Storage parameters as `name=value`, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<String>,
    /// `full`, `nothing`, or an index name; None is the default (the primary key).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica_identity: Option<String>,
    /// Table access method; None is heap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
}

static FORM: Form = Form::Record(&[
    Key { name: "use", form: Form::Names, doc: "Templates whose columns, indexes and policies it gets." },
    Key { name: "was", form: Form::Text, doc: "The name it had before." },
    Key { name: "unlogged", form: Form::Flag, doc: "UNLOGGED." },
    Key { name: "with", form: Form::Map(&Form::Text), doc: "Storage parameters, such as fillfactor." },
    Key { name: "replica_identity", form: Form::Text, doc: "full, nothing or the name of a unique index." },
    Key { name: "method", form: Form::Name, doc: "Table access method." },
]);

impl Kind for Table {
    fn name(&self) -> &'static str {
        "table"
    }

    fn sections(&self) -> &'static [Section] {
        &[Section { parent: "", key: "tables", many: Many::Named, doc: "Tables by name." }]
    }

    fn form(&self) -> &'static Form {
        &FORM
    }

    fn facets(&self) -> &'static [Facet] {
        &[Facet::Owner, Facet::Comment, Facet::Grants]
    }

    fn declare(&self, _parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        let Some(address) = out.address("table", name) else { return };
        let mut with: Vec<String> = yaml.get("with").into_iter().flat_map(parameters).collect();
        with.sort();
        let spec = TableSpec {
            unlogged: yaml.flag("unlogged"),
            with,
            replica_identity: yaml.text("replica_identity").map(|s| s.text.clone()).filter(|w| w != "default"),
            method: yaml.text("method").map(|s| s.text.clone()),
        };
        out.add(address, &spec, &name.pos).was(yaml);
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        let TableSpec { unlogged, with, replica_identity, method } = node.spec.read().ok()?;
        let mut yaml = serde_yaml::Mapping::new();
        if unlogged {
            yaml.insert("unlogged".into(), true.into());
        }
        if !with.is_empty() {
            yaml.insert("with".into(), write_parameters(&with));
        }
        for (key, text) in [("replica_identity", replica_identity), ("method", method)] {
            if let Some(text) = text {
                yaml.insert(key.into(), text.into());
            }
        }
        Some(Value::Mapping(yaml))
    }

    fn catalog(&self) -> Option<Catalog> {
        Some(Catalog { class: "pg_class", parent: "pg_namespace", query: include_str!("table.sql") })
    }

    fn read(&self, row: &Row, _parent: Option<&Address>) -> Result<Found> {
        let at = Catalog::FIRST;
        let with: Option<Vec<String>> = row.try_get(at + 2)?;
        let mut spec = TableSpec {
            unlogged: row.try_get(at + 1)?,
            with: with.unwrap_or_default(),
            replica_identity: row.try_get(at + 3)?,
            method: row.try_get(at + 4)?,
        };
        spec.with.sort();
        Ok(Found::of(row.try_get(at)?, &spec))
    }

    fn phrase(&self, node: &Node) -> String {
        format!("TABLE {}", relation(&node.address))
    }

    fn create(&self, node: &Node, riders: &[&Node], scope: &Scope) -> Vec<Change> {
        let Ok(spec) = node.spec.read::<TableSpec>() else { return Vec::new() };
        let TableSpec { unlogged, with, replica_identity: _, method } = &spec;
        let mut clauses = Vec::new();
        let mut after = Vec::new();
        let mut made_here = HashSet::new();
        for rider in riders {
            if let Some((clause, more)) = kind_of(&rider.address).clause(rider, scope) {
                clauses.push(format!("\n  {clause}"));
                after.extend(more);
                made_here.insert(rider.address.name());
            }
        }
        let body = if clauses.is_empty() { String::new() } else { format!("{}\n", clauses.join(",")) };
        let mut sql =
            format!("CREATE {}TABLE {} ({body})", if *unlogged { "UNLOGGED " } else { "" }, relation(&node.address));
        if let Some(method) = method {
            sql.push_str(&format!(" USING {}", Ident(method)));
        }
        if !with.is_empty() {
            sql.push_str(&format!(" WITH ({})", sql_parameters(with)));
        }
        let mut changes = vec![Change::new(sql, Lock::None, &[])];
        changes.extend(after);
        let now = |word: &str| matches!(word, "full" | "nothing") || made_here.contains(word);
        if spec.replica_identity.as_deref().is_some_and(now) {
            changes.extend(replica_identity(node, None, &spec));
        }
        changes
    }

    fn drop(&self, node: &Node, scope: &Scope) -> Vec<Change> {
        let _ = scope;
        let change = Change::new(
            format!("DROP TABLE {}", relation(&node.address)),
            Lock::AccessExclusive,
            std::slice::from_ref(&node.address),
        );
        vec![change.hazard(Hazard::DataLoss, "the table and its rows are gone")]
    }

    fn alter(&self, old: &Node, new: &Node, scope: &Scope) -> Alter {
        let (Ok(a), Ok(b)) = (old.spec.read::<TableSpec>(), new.spec.read::<TableSpec>()) else {
            return Alter::Refuse("its spec cannot be read".into());
        };
        let TableSpec { unlogged, with, replica_identity: _, method } = &b;
        let live = scope.has_rows(&new.address);
        let alter = |words: String, lock: Lock| {
            Change::new(
                format!("ALTER TABLE {} {words}", relation(&new.address)),
                lock,
                std::slice::from_ref(&new.address),
            )
        };
        let rewrite = |change: Change| {
            change.hazard_if(live, Hazard::Rewrites, "the table is written anew").hazard_if(
                live,
                Hazard::BlocksReads,
                "nobody can read or write it meanwhile",
            )
        };
        let mut changes = Vec::new();
        if *unlogged != a.unlogged {
            let words = if *unlogged { "SET UNLOGGED" } else { "SET LOGGED" };
            changes.push(rewrite(alter(words.into(), Lock::AccessExclusive)));
            changes.extend(taken_along(&new.address, *unlogged, scope));
        }
        if *method != a.method {
            let method = method.as_deref().unwrap_or("heap");
            changes.push(rewrite(alter(format!("SET ACCESS METHOD {}", Ident(method)), Lock::AccessExclusive)));
        }
        if *with != a.with {
            changes.extend(
                parameter_changes(&a.with, with).into_iter().map(|words| alter(words, Lock::ShareUpdateExclusive)),
            );
        }
        // An index that is yet to come brings it along.
        let comes = |name: &str| {
            ["index", "unique", "primary key"].into_iter().any(|kind| {
                let index = new.address.child(kind, name);
                scope.desired.get(&index).is_some() && scope.actual.get(&index).is_none()
            })
        };
        if !b.replica_identity.as_deref().is_some_and(comes) {
            changes.extend(replica_identity(new, Some(&a), &b));
        }
        Alter::InPlace(changes)
    }

    fn plain_words(&self, spec: &mut serde_json::Value) {
        plain_parameters(spec);
    }

    fn rename(&self, node: &Node, to: &str) -> Option<Change> {
        let sql = format!("ALTER TABLE {} RENAME TO {}", relation(&node.address), Ident(to));
        Some(Change::new(sql, Lock::AccessExclusive, std::slice::from_ref(&node.address)))
    }

    fn holds_rows(&self) -> bool {
        true
    }

    fn slots(&self, node: &Node) -> Vec<(String, String)> {
        vec![("relation".into(), relation(&node.address)), ("type".into(), relation(&node.address))]
    }

    fn rebind(&self, _node: &Node, _below: &Address, _cause: Cause, _scope: &Scope) -> Rebind {
        Rebind::Replace
    }

    fn grantable(&self, node: &Node, major: u32) -> Option<Grantable> {
        Some(Grantable {
            on: self.phrase(node),
            column: None,
            privileges: table_privileges(major),
            default_class: 'r',
            public: &[],
        })
    }
}

/// From 15 on the sequences that a table's columns own change with it (ATRewriteTables): those that are not to, change back.
fn taken_along(table: &Address, unlogged: bool, scope: &Scope) -> Vec<Change> {
    let of_table = |node: &&Node| {
        let owner = node.spec.read::<SequenceSpec>().ok().and_then(|spec| spec.owner_column());
        owner.is_some_and(|column| column.parent().as_ref() == Some(table))
    };
    let sequences = scope.actual.nodes().iter().filter(|n| scope.major >= 15 && n.address.kind() == "sequence");
    let wanted = |node: &Node| scope.desired.get(&node.address)?.spec.read::<SequenceSpec>().ok();
    let other = sequences.filter(of_table).filter(|n| wanted(n).is_some_and(|spec| spec.unlogged != unlogged));
    let state = if unlogged { "LOGGED" } else { "UNLOGGED" };
    let back = |node: &Node| {
        let sql = format!("ALTER SEQUENCE {} SET {state}", relation(&node.address));
        Change::new(sql, Lock::AccessExclusive, std::slice::from_ref(&node.address))
    };
    other.map(back).collect()
}

/// Privileges on tables and views; MAINTAIN is there from 17 on.
pub fn table_privileges(major: u32) -> &'static [&'static str] {
    const ALL: [&str; 8] = ["select", "insert", "update", "delete", "truncate", "references", "trigger", "maintain"];
    if major >= 17 {
        &ALL
    } else {
        &ALL[..7]
    }
}

/// The statement that makes an index, or that of a key, that was just created the replica identity of its table, if
/// it is to be.
pub fn replica_identity_by(index: &Node, scope: &Scope) -> Option<Change> {
    let table = scope.desired.get(&index.address.parent()?)?;
    let spec: TableSpec = table.spec.read().ok()?;
    (spec.replica_identity.as_deref() == Some(index.address.name())).then(|| replica_identity(table, None, &spec))?
}

fn replica_identity(node: &Node, old: Option<&TableSpec>, new: &TableSpec) -> Option<Change> {
    let before = old.and_then(|spec| spec.replica_identity.as_deref());
    if before == new.replica_identity.as_deref() {
        return None;
    }
    let words = match new.replica_identity.as_deref() {
        None => "DEFAULT".to_owned(),
        Some(word @ ("full" | "nothing")) => word.to_uppercase(),
        Some(index) => format!("USING INDEX {}", Ident(index)),
    };
    let sql = format!("ALTER TABLE {} REPLICA IDENTITY {words}", relation(&node.address));
    Some(Change::new(sql, Lock::AccessExclusive, std::slice::from_ref(&node.address)))
}

/// Storage parameters from a map, as `name=value`.
pub fn parameters(yaml: &Yaml) -> Vec<String> {
    yaml.entries().filter_map(|(name, value)| Some(format!("{}={}", name.text, value.scalar()?.text))).collect()
}

/// The map form of storage parameters.
pub fn write_parameters(with: &[String]) -> Value {
    let pairs = with.iter().filter_map(|p| p.split_once('='));
    Value::Mapping(pairs.map(|(name, value)| (name.into(), plain(value))).collect())
}

fn plain(text: &str) -> Value {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => number.into(),
        _ => text.into(),
    }
}

/// `name = 'value', ...` for WITH and SET.
pub fn sql_parameters(with: &[String]) -> String {
    let pair = |p: &String| {
        let (name, value) = p.split_once('=')?;
        // `toast.autovacuum_enabled` is two names.
        let name = name.split('.').map(|n| Ident(n).to_string()).collect::<Vec<_>>().join(".");
        Some(format!("{name} = {}", crate::sql::literal(value)))
    };
    with.iter().filter_map(pair).collect::<Vec<_>>().join(", ")
}

/// Storage parameters that are true or false (PostgreSQL's reloptions.c); a catalog holds them as they were written.
const BOOLEAN: [&str; 6] =
    ["autosummarize", "autovacuum_enabled", "deduplicate_items", "fastupdate", "user_catalog_table", "vacuum_truncate"];

/// A storage parameter in the words that all spellings of it share: `fastupdate=off` is `fastupdate=false`.
pub fn plain_parameter(parameter: &str) -> Cow<'_, str> {
    let Some((name, value)) = parameter.split_once('=') else { return parameter.into() };
    if !BOOLEAN.contains(&name.strip_prefix("toast.").unwrap_or(name)) {
        return parameter.into();
    }
    // Any beginning that only one word has (manual, section 8.6).
    let value = value.to_ascii_lowercase();
    let means = |words: [&str; 3], digit: &str| {
        value == digit || value != "o" && !value.is_empty() && words.iter().any(|word| word.starts_with(&value))
    };
    match (means(["true", "yes", "on"], "1"), means(["false", "no", "off"], "0")) {
        (true, false) => format!("{name}=true").into(),
        (false, true) => format!("{name}=false").into(),
        _ => parameter.into(),
    }
}

/// [`plain_parameter`] for the `with` of a spec.
pub fn plain_parameters(spec: &mut serde_json::Value) {
    let with = spec.get_mut("with").and_then(|with| with.as_array_mut());
    for parameter in with.into_iter().flatten() {
        if let Some(text) = parameter.as_str() {
            *parameter = plain_parameter(text).into_owned().into();
        }
    }
}

/// `SET (...)` and `RESET (...)` from the old to the new parameters.
pub fn parameter_changes(old: &[String], new: &[String]) -> Vec<String> {
    let name = |p: &String| p.split('=').next().unwrap_or_default().to_owned();
    let set: Vec<String> = new.iter().filter(|p| !old.contains(p)).cloned().collect();
    let reset: Vec<String> = old.iter().map(name).filter(|n| !new.iter().any(|p| name(p) == *n)).collect();
    let mut words = Vec::new();
    if !set.is_empty() {
        words.push(format!("SET ({})", sql_parameters(&set)));
    }
    if !reset.is_empty() {
        let names =
            reset.iter().map(|n| n.split('.').map(|part| Ident(part).to_string()).collect::<Vec<_>>().join("."));
        words.push(format!("RESET ({})", names.collect::<Vec<_>>().join(", ")));
    }
    words
}
