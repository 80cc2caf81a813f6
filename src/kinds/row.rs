//! Reference rows: data that belongs to the schema, by primary key.
//!
//! Only the columns that a row declares are written and compared. Values are texts that the server
//! casts to the column's type; what it prints them as is what is compared.

use super::column::ColumnSpec;
use super::foreign_key::ForeignKeySpec;
use super::relation::{relation, table_of};
use super::*;
use crate::sql::{literal, Ident};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The row kind.
pub struct ReferenceRow;

/// Column to value; None is NULL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowSpec {
    /// The columns of the primary key, in its order.
    pub key: Vec<String>,
    pub values: BTreeMap<String, Option<String>>,
}

static FORM: Form = Form::Map(&Form::Text);

impl RowSpec {
    /// `a = '1' AND b = '2'`.
    fn condition(&self) -> String {
        let part = |column: &String| match self.values.get(column) {
            Some(Some(value)) => format!("{} = {}", Ident(column), literal(value)),
            _ => format!("{} IS NULL", Ident(column)),
        };
        self.key.iter().map(part).collect::<Vec<_>>().join(" AND ")
    }
}

fn value(text: &Option<String>) -> String {
    text.as_ref().map_or_else(|| "NULL".to_owned(), |t| literal(t))
}

/// The name of a row among its siblings: its key's values; of several, commas inside have a `\` before them.
fn name_of(spec: &RowSpec) -> String {
    let values = spec.key.iter().map(|c| spec.values.get(c).cloned().flatten().unwrap_or_default());
    if spec.key.len() == 1 {
        return values.collect();
    }
    values.map(|v| v.replace('\\', "\\\\").replace(',', "\\,")).collect::<Vec<_>>().join(", ")
}

/// The query that reads declared rows of a table: for each wanted row, its values as the server
/// prints them, in the order of `columns`.
pub fn probe(wanted: &Node) -> Option<(String, RowSpec)> {
    let spec: RowSpec = wanted.spec.read().ok()?;
    let columns: Vec<String> = spec.values.keys().map(|c| format!("{}::text", Ident(c))).collect();
    let sql = format!(
        "SELECT ARRAY[{}]::text[] FROM {} WHERE {}",
        columns.join(", "),
        relation(&wanted.address),
        spec.condition()
    );
    Some((sql, spec))
}

/// The node of a row that a probe found.
pub fn found(wanted: &Node, mut spec: RowSpec, values: Vec<Option<String>>) -> Node {
    for (slot, value) in spec.values.values_mut().zip(values) {
        *slot = value;
    }
    let address = wanted.address.renamed(&name_of(&spec));
    Node { needs: table_of(&address), ..Node::new(address, Spec::of(&spec)) }
}

impl Kind for ReferenceRow {
    fn name(&self) -> &'static str {
        "row"
    }

    fn sections(&self) -> &'static [Section] {
        &[Section { parent: "table", key: "rows", many: Many::List, doc: "Reference rows: maps from column to value." }]
    }

    fn form(&self) -> &'static Form {
        &FORM
    }

    fn facets(&self) -> &'static [Facet] {
        &[]
    }

    fn declare(&self, parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        let Some(table) = parent else { return };
        let key_of = |n: &Node| -> Option<Vec<String>> {
            let spec: serde_json::Value = n.spec.read().ok()?;
            Some(spec.get("columns")?.as_array()?.iter().filter_map(|c| Some(c.as_str()?.to_owned())).collect())
        };
        let keys = out.list.iter().find(|d| d.node.address.kind() == "primary key" && d.node.address.is_within(table));
        let Some(key) = keys.and_then(|d| key_of(&d.node)) else {
            out.problem(&name.pos, format!("reference rows need a primary key on {table}"));
            return;
        };
        let values: BTreeMap<String, Option<String>> = yaml
            .entries()
            .filter_map(|(column, value)| {
                let value = value.scalar()?;
                Some((column.text.clone(), (!value.is_null()).then(|| value.text.clone())))
            })
            .collect();
        for column in &key {
            if values.get(column).is_none_or(Option::is_none) {
                out.problem(&name.pos, format!("a reference row has no value for the key column `{column}`"));
            }
        }
        for (column, value) in yaml.entries() {
            if !out.list.iter().any(|d| d.node.address == table.child("column", &column.text)) {
                out.problem(&column.pos, format!("{table} has no column `{}`", column.text));
            }
            if value.scalar().is_some_and(|v| v.text.contains('\0')) {
                out.problem(&value.pos, "a value cannot hold a NUL byte");
            }
        }
        let spec = RowSpec { key, values };
        let address = table.child("row", &name_of(&spec));
        let order = u32::try_from(out.list.len()).unwrap_or(u32::MAX);
        if out.list.iter().any(|d| d.node.address == address) {
            out.problem(&name.pos, format!("{address} is declared twice"));
            return;
        }
        out.add(address, &spec, &name.pos).node.order = order;
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        let RowSpec { key: _, values } = node.spec.read().ok()?;
        let entry =
            |(column, value): (String, Option<String>)| (column.into(), value.map_or(Value::Null, Value::String));
        Some(Value::Mapping(values.into_iter().map(entry).collect()))
    }

    fn holds_values(&self) -> bool {
        true
    }

    fn relabelled(&self, node: &Node, relabel: &Relabel, model: &Model) -> Option<Spec> {
        let (table, mut row) = (node.address.parent()?, node.spec.read::<RowSpec>().ok()?);
        let becomes = |column: &str, value: &str| {
            let column: ColumnSpec = model.get(&table.child("column", column))?.spec.read().ok()?;
            relabel.in_row(&column.ty, value)
        };
        let mut any = false;
        for (column, value) in &mut row.values {
            if let Some(now) = value.as_deref().and_then(|value| becomes(column, value)) {
                *value = Some(now);
                any = true;
            }
        }
        any.then(|| Spec::of(&row))
    }

    fn is_outward(&self) -> bool {
        false
    }

    fn catalog(&self) -> Option<Catalog> {
        None
    }

    fn read(&self, _row: &Row, _parent: Option<&Address>) -> Result<Found> {
        Err(crate::error::Error::new("rows are not in the catalog"))
    }

    fn phrase(&self, node: &Node) -> String {
        format!("ROW IN {}", relation(&node.address))
    }

    fn create(&self, node: &Node, _riders: &[&Node], scope: &Scope) -> Vec<Change> {
        let Ok(spec) = node.spec.read::<RowSpec>() else { return Vec::new() };
        let columns: Vec<String> = spec.values.keys().map(|c| Ident(c).to_string()).collect();
        let values: Vec<String> = spec.values.values().map(value).collect();
        // A declared key wins over an identity that is generated always.
        let sql = format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})",
            relation(&node.address),
            columns.join(", "),
            values.join(", ")
        );
        data(node, sql, scope, None)
    }

    fn drop(&self, node: &Node, scope: &Scope) -> Vec<Change> {
        let Ok(spec) = node.spec.read::<RowSpec>() else { return Vec::new() };
        let sql = format!("DELETE FROM {} WHERE {}", relation(&node.address), spec.condition());
        data(node, sql, scope, Some(&loss(node, scope)))
    }

    fn alter(&self, old: &Node, new: &Node, scope: &Scope) -> Alter {
        let (Ok(a), Ok(b)) = (old.spec.read::<RowSpec>(), new.spec.read::<RowSpec>()) else {
            return Alter::Refuse("its values cannot be read".into());
        };
        let differs = |(column, v): &(&String, &Option<String>)| a.values.get(*column) != Some(v);
        let mut columns = b.values.iter().filter(differs).map(|(column, _)| column);
        if let Some(column) = columns.find(|column| is_always_generated(&new.address, column, scope)) {
            return Alter::Refuse(format!(
                "its column `{column}` is GENERATED ALWAYS AS IDENTITY, which PostgreSQL lets nobody update: \
                 declare the value that is there, or make the column BY DEFAULT"
            ));
        }
        let changed: Vec<String> =
            b.values.iter().filter(differs).map(|(column, v)| format!("{} = {}", Ident(column), value(v))).collect();
        let sql = format!("UPDATE {} SET {} WHERE {}", relation(&new.address), changed.join(", "), b.condition());
        Alter::InPlace(if changed.is_empty() {
            Vec::new()
        } else {
            data(new, sql, scope, Some("the values there are replaced"))
        })
    }

    fn rebind(&self, _node: &Node, _below: &Address, _cause: Cause, _scope: &Scope) -> Rebind {
        Rebind::Keep
    }

    fn comes_after(&self, node: &Node, desired: &Model) -> Vec<Address> {
        let tables = table_of(&node.address);
        let of = |kind| tables.iter().flat_map(move |table| desired.children_of(table, kind));
        let made_first = of("column").chain(of("primary key"));
        made_first.map(|n| n.address.clone()).chain(may_refer_to(node, desired)).collect()
    }

    fn goes_before(&self, node: &Node, actual: &Model) -> Vec<Address> {
        may_refer_to(node, actual)
    }
}

/// The rows that a row may refer to: by its values the very row; where they do not tell, all rows of the other table.
/// Rows that refer to each other in a circle have no order.
fn may_refer_to(node: &Node, model: &Model) -> Vec<Address> {
    let mut found = Vec::new();
    for referred in references(node, model) {
        match referred {
            Referred::Row(row) if !leads_to(&row, &node.address, model) => found.push(row),
            Referred::Row(_) => {}
            Referred::AnyOf(table) => found.extend(rows(&table, model).map(|n| n.address.clone())),
        }
    }
    found
}

/// Where a foreign key of a row's table leads it.
enum Referred {
    Row(Address),
    /// The row does not say which.
    AnyOf(Address),
}

fn rows<'a>(table: &Address, model: &'a Model) -> impl Iterator<Item = &'a Node> {
    model.children_of(table, "row")
}

fn references(node: &Node, model: &Model) -> Vec<Referred> {
    let (Some(table), Ok(row)) = (node.address.parent(), node.spec.read::<RowSpec>()) else { return Vec::new() };
    let mut found = Vec::new();
    for key in model.children_of(&table, "foreign key") {
        let Ok(ForeignKeySpec { columns, references, target_columns, .. }) = key.spec.read() else { continue };
        let target = references.address();
        let values: Vec<Option<&Option<String>>> = columns.iter().map(|c| row.values.get(c)).collect();
        // A NULL refers to nothing; what the column's default will be is not known.
        if values.contains(&Some(&None)) {
            continue;
        }
        let said: Option<BTreeMap<&str, &str>> = target_columns
            .iter()
            .zip(&values)
            .map(|(column, value)| Some((column.as_str(), (*value)?.as_deref()?)))
            .collect();
        match said.and_then(|said| row_with(&target, &said, model)) {
            Some(address) if address == node.address => {}
            Some(address) => found.push(Referred::Row(address)),
            None if target != table => found.push(Referred::AnyOf(target)),
            None => {}
        }
    }
    found
}

/// The row of a table that has these values; by its name where they are its key.
fn row_with(table: &Address, said: &BTreeMap<&str, &str>, model: &Model) -> Option<Address> {
    let first: RowSpec = rows(table, model).next()?.spec.read().ok()?;
    if first.key.len() == said.len() && first.key.iter().all(|column| said.contains_key(column.as_str())) {
        let values = said.iter().map(|(column, value)| ((*column).to_owned(), Some((*value).to_owned()))).collect();
        let address = table.child("row", &name_of(&RowSpec { key: first.key, values }));
        return model.get(&address).map(|n| n.address.clone());
    }
    let has = |spec: &RowSpec| {
        said.iter().all(|(column, value)| spec.values.get(*column).and_then(Option::as_deref) == Some(value))
    };
    rows(table, model).find(|n| n.spec.read().is_ok_and(|spec| has(&spec))).map(|n| n.address.clone())
}

/// Whether following references from one row comes to another.
fn leads_to(from: &Address, to: &Address, model: &Model) -> bool {
    let mut seen = BTreeSet::from([from.clone()]);
    let mut waiting = vec![from.clone()];
    while let Some(address) = waiting.pop() {
        let Some(node) = model.get(&address) else { continue };
        for referred in references(node, model) {
            let Referred::Row(next) = referred else { continue };
            if next == *to {
                return true;
            }
            if seen.insert(next.clone()) {
                waiting.push(next);
            }
        }
    }
    false
}

/// Whether a column of a row's table is an identity that only PostgreSQL sets (manual, section 5.3).
fn is_always_generated(row: &Address, column: &str, scope: &Scope) -> bool {
    let column = row.parent().and_then(|table| scope.desired.get(&table.child("column", column)));
    let spec = column.and_then(|node| node.spec.read::<ColumnSpec>().ok());
    spec.and_then(|spec| spec.identity).is_some_and(|identity| identity.always)
}

/// What is lost with a row: itself, and what foreign keys that stay do to the rows that refer to it.
fn loss(node: &Node, scope: &Scope) -> String {
    let table = table_of(&node.address);
    let acting = scope
        .actual
        .nodes()
        .iter()
        .filter(|n| n.address.kind() == "foreign key" && scope.desired.get(&n.address).is_some());
    let also: Vec<String> = acting
        .filter_map(|key| {
            let spec: ForeignKeySpec = key.spec.read().ok()?;
            let acts = table.contains(&spec.references.address());
            let action = spec.on_delete.filter(|action| acts && action != "RESTRICT")?;
            Some(format!("{} (ON DELETE {action})", key.address))
        })
        .collect();
    if also.is_empty() {
        "the row is gone".into()
    } else {
        format!("the row is gone, and rows that refer to it go or change with it: {}", also.join(", "))
    }
}

fn data(node: &Node, sql: String, scope: &Scope, loses: Option<&str>) -> Vec<Change> {
    let table = table_of(&node.address);
    let change = Change::new(sql, Lock::RowExclusive, &table).data().runs();
    let change = match loses {
        Some(reason) => change.hazard(Hazard::DataLoss, reason),
        None => change,
    };
    super::row_security::lifted(&table, vec![change], scope)
}
