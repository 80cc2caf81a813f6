//! Reference rows: a row of a table with another value than it has, and a row of a table that is new.

use super::expression::value;
use super::schema::*;
use super::Rng;

/// A row that is to be there: each column with its value as SQL.
#[derive(Clone, Debug)]
pub struct Reference {
    pub table: Name,
    pub key: Vec<(String, String)>,
    pub others: Vec<(String, String)>,
}

impl Reference {
    /// Whether it is of the table that is printed so.
    pub fn is_of(&self, printed: &str) -> bool {
        printed.replace('"', "") == format!("{}.{}", self.table.schema, self.table.name).replace('"', "")
    }

    /// How many rows are just so.
    pub fn question(&self) -> String {
        let same = |(column, value): &(String, String)| format!("{} is not distinct from {value}", quote(column));
        let all: Vec<String> = self.values().map(same).collect();
        format!("select count(*) from {} where {}", self.table.sql(), all.join(" and "))
    }

    pub fn values(&self) -> impl Iterator<Item = &(String, String)> {
        self.key.iter().chain(&self.others)
    }
}

/// Rows for tables of `b`, which is where `a` is led to.
pub fn references(a: &Schema, b: &Schema, rng: &mut Rng) -> Vec<Reference> {
    b.tables.iter().filter_map(|table| if table.fresh { first(b, table) } else { changed(a, b, table, rng) }).collect()
}

/// The first row of a table that has none and refers to no other.
fn first(schema: &Schema, table: &Table) -> Option<Reference> {
    let key = &table.primary_key.as_ref()?.columns;
    if !table.foreign_keys.is_empty() || !table.triggers.is_empty() {
        return None;
    }
    let of = |column: &Column| {
        Some((column.name.clone(), simple(&column.kind, schema)?.then(|| value(schema, &column.kind, 1))?))
    };
    let key = key.iter().map(|name| of(table.column(name)?)).collect::<Option<_>>()?;
    let needed = |column: &&Column| {
        let is_key = table.primary_key.iter().any(|key| key.columns.contains(&column.name));
        column.plain() && !is_key && !column.serial && column.identity.is_none()
    };
    let others = table.columns.iter().filter(needed).map(of).collect::<Option<_>>()?;
    Some(Reference { table: table.name.clone(), key, others })
}

/// The first of the rows that there are, with a value of the second in a column that nothing else rests on.
fn changed(a: &Schema, b: &Schema, table: &Table, rng: &mut Rng) -> Option<Reference> {
    let before = a.table(&table.name)?;
    let key = &table.primary_key.as_ref()?.columns;
    let kept = |name: &String| {
        let now = table.column(name)?;
        before.column(name).filter(|old| old.kind == now.kind && now.plain() && simple(&now.kind, b) == Some(true))?;
        Some((name.clone(), value(b, &now.kind, 1)))
    };
    let keys = key.iter().map(kept).collect::<Option<Vec<_>>>()?;
    let held = |name: &String| {
        table.keys().any(|one| one.columns.contains(name) || one.include.contains(name))
            || table.foreign_keys.iter().any(|one| one.columns.contains(name))
            || table.indexes.iter().any(|one| one.unique && one.keys.iter().any(|expr| expr.columns.contains(name)))
    };
    let free = |column: &Column| {
        let settled = column.identity.is_none() && !column.serial && column.plain();
        settled && !held(&column.name) && simple(&column.kind, b) == Some(true) && column.kind != Type::Int4Range
    };
    if !table.triggers.is_empty() || !table.foreign_keys.is_empty() {
        return None;
    }
    let column = rng.pick_where(&table.columns, free)?;
    // The row is made in scratch too, where it needs all that must not be null.
    let needed = |other: &&Column| {
        let held = other.not_null || never_null(&other.kind, b);
        held && other.plain() && !key.contains(&other.name) && other.name != column.name
    };
    let mut others = Vec::new();
    for other in table.columns.iter().filter(needed) {
        let kept = before.column(&other.name).is_some_and(|old| old.kind == other.kind);
        if !kept || other.nulls || simple(&other.kind, b) != Some(true) {
            return None;
        }
        others.push((other.name.clone(), value(b, &other.kind, 1)));
    }
    others.push((column.name.clone(), value(b, &column.kind, 2)));
    Some(Reference { table: table.name.clone(), key: keys, others })
}

/// Whether it is a domain that takes no NULL.
fn never_null(kind: &Type, schema: &Schema) -> bool {
    match kind {
        Type::Domain(name) => {
            schema.domain(name).is_some_and(|domain| domain.not_null || never_null(&domain.base, schema))
        }
        _ => false,
    }
}

/// Whether a value of it is one literal; None of a type that is not there.
fn simple(kind: &Type, schema: &Schema) -> Option<bool> {
    match kind {
        Type::Array(_) => Some(false),
        Type::Domain(name) => simple(&schema.domain(name)?.base, schema),
        Type::Enum(name) => schema.enumeration(name).map(|_| true),
        _ => Some(true),
    }
}
