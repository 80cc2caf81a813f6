//! Columns of tables (manual, section 5.1 to 5.4; CREATE TABLE, ALTER TABLE).

mod cast;
mod change;
mod identity;
mod written;

use super::relation::relation;
use super::*;
use crate::sql::{bracketed, name, Ident};
pub use identity::Identity;
use serde::{Deserialize, Serialize};

/// The column kind.
pub struct Column;

/// The queries of what few columns have, by number: sequences by column, constraints by table.
const IDENTITY: usize = 0;
const NOT_NULL: usize = 1;

/// A column. Types are printed by `format_type`, expressions by `pg_get_expr`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnSpec {
    #[serde(rename = "type")]
    pub ty: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_null: bool,
    /// From 18 on, NOT NULL has a name; None if it is the derived one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_null_name: Option<String>,
    /// Rows that were there before NOT NULL have not been tested, from 18 on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_null_not_valid: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<Generated>,
    /// Qualified; None if it is the type's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// None if it is the type's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<String>,
    /// Statistics target; None if it is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<i32>,
}

/// GENERATED ALWAYS AS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    #[serde(rename = "as")]
    pub expression: String,
    /// VIRTUAL, from 18 on; STORED otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_virtual: bool,
}

/// What few columns have, together in one array of their row; None where it is empty.
#[derive(Default)]
struct Rare<'a> {
    generated: Option<&'a str>,
    collation: Option<&'a str>,
    storage: Option<&'a str>,
    compression: Option<&'a str>,
    statistics: Option<&'a str>,
    identity: Option<&'a str>,
    options: Option<&'a str>,
}

impl<'a> Rare<'a> {
    fn of(row: &'a Row) -> Result<Self> {
        let Some(texts): Option<Vec<&str>> = row.row.try_get(Catalog::FIRST + 6)? else { return Ok(Self::default()) };
        let mut texts = texts.into_iter().map(|text| (!text.is_empty()).then_some(text));
        let mut next = || texts.next().flatten();
        Ok(Self {
            generated: next(),
            collation: next(),
            storage: next(),
            compression: next(),
            statistics: next(),
            identity: next(),
            options: next(),
        })
    }
}

/// A column's NOT NULL, which is a constraint from 18 on.
struct NotNull<'a> {
    name: &'a str,
    not_valid: bool,
    no_inherit: bool,
}

impl<'a> NotNull<'a> {
    fn of(row: &'a Row) -> Result<Option<Self>> {
        let Some(constraints) = row.aside(NOT_NULL, 0)? else { return Ok(None) };
        let (numbers, names): (Vec<i16>, Vec<&str>) = (constraints.try_get(2)?, constraints.try_get(3)?);
        let (not_valid, no_inherit): (Vec<bool>, Vec<bool>) = (constraints.try_get(4)?, constraints.try_get(5)?);
        let number: i32 = row.try_get(2)?;
        let Some(at) = numbers.iter().position(|of| i32::from(*of) == number) else { return Ok(None) };
        Ok(names.get(at).zip(not_valid.get(at)).zip(no_inherit.get(at)).map(|((name, not_valid), no_inherit)| Self {
            name,
            not_valid: *not_valid,
            no_inherit: *no_inherit,
        }))
    }
}

impl ColumnSpec {
    /// What follows the name in CREATE TABLE and ADD COLUMN.
    fn definition(&self, with_not_null: bool) -> String {
        // Storage and statistics are set by statements of their own.
        let Self {
            ty,
            not_null,
            not_null_name,
            not_null_not_valid: _,
            default,
            identity,
            generated,
            collation,
            storage: _,
            compression,
            statistics: _,
        } = self;
        let mut sql = ty.clone();
        if let Some(method) = compression {
            sql.push_str(&format!(" COMPRESSION {method}"));
        }
        if let Some(collation) = collation {
            sql.push_str(&format!(" COLLATE {collation}"));
        }
        if let Some(generated) = generated {
            let Generated { expression, is_virtual } = generated;
            sql.push_str(&format!(
                " GENERATED ALWAYS AS ({expression}) {}",
                if *is_virtual { "VIRTUAL" } else { "STORED" }
            ));
        }
        if let Some(default) = default {
            sql.push_str(&format!(" DEFAULT {}", bracketed(default)));
        }
        if let Some(identity) = identity {
            sql.push_str(&format!(" {}", identity.clause()));
        }
        if *not_null && with_not_null {
            if let Some(name) = not_null_name {
                sql.push_str(&format!(" CONSTRAINT {}", Ident(name)));
            }
            sql.push_str(" NOT NULL");
        }
        sql
    }
}

impl Kind for Column {
    fn name(&self) -> &'static str {
        "column"
    }

    fn hidden(&self, node: &Node) -> Option<(String, String)> {
        // Most columns have none.
        let spec =
            node.spec.as_json().contains("\"identity\"").then(|| node.spec.read::<ColumnSpec>().ok()).flatten()?;
        spec.identity.is_some().then(|| ("relation".to_owned(), change::identity_sequence(node, &spec)))
    }

    fn sections(&self) -> &'static [Section] {
        &[Section {
            parent: "table",
            key: "columns",
            many: Many::Named,
            doc: "Columns by name, in their physical order.",
        }]
    }

    fn form(&self) -> &'static Form {
        &written::FORM
    }

    fn facets(&self) -> &'static [Facet] {
        &[Facet::Comment, Facet::Grants]
    }

    fn declare(&self, parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        if let Some(table) = parent {
            written::declare(table, name, yaml, out);
        }
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        written::write(node)
    }

    fn catalog(&self) -> Option<Catalog> {
        Some(Catalog { class: "pg_class", parent: "pg_class", query: include_str!("column.sql") })
    }

    fn printed(&self) -> &'static [&'static str] {
        &["default", "generated.as"]
    }

    fn trees(&self) -> Option<&'static Trees> {
        Some(&Trees {
            fields: &["default"],
            query: "select adrelid, adnum::int4, 1, adrelid, adbin from pg_attrdef",
            over_columns: false,
        })
    }

    fn asides(&self) -> &'static [&'static str] {
        &[include_str!("column/identity.sql"), include_str!("column/not_null.sql")]
    }

    fn is_column(&self) -> bool {
        true
    }

    fn read(&self, row: &Row, parent: Option<&Address>) -> Result<Found> {
        let at = Catalog::FIRST + 2;
        let order: i32 = row.try_get(2)?;
        let column: String = row.try_get(Catalog::FIRST)?;
        let table = parent.map_or("", Address::name);
        let expression = row.expression("default", at + 3)?;
        let mut spec = ColumnSpec { ty: row.try_get(at + 1)?, not_null: row.try_get(at + 2)?, ..ColumnSpec::default() };
        let rare = Rare::of(row)?;
        match (expression, rare.generated) {
            (Some(expression), Some(kind)) => {
                spec.generated = Some(Generated { expression, is_virtual: kind == "v" });
            }
            (expression, _) => spec.default = expression,
        }
        spec.collation = rare.collation.map(str::to_owned);
        spec.storage = rare.storage.map(str::to_owned);
        spec.compression = rare.compression.map(str::to_owned);
        spec.statistics = rare.statistics.and_then(|target| target.parse().ok());
        if let Some(when) = rare.identity {
            let options = row.aside(IDENTITY, order)?.map(|aside| aside.try_get(2)).transpose()?;
            spec.identity = Some(Identity::read(when, options, table, &column));
        }
        let mut unmodelled = Vec::new();
        let on = || parent.map(relation).unwrap_or_default();
        if let Some(constraint) = NotNull::of(row)?.filter(|_| spec.not_null) {
            let NotNull { name, not_valid, no_inherit } = constraint;
            spec.not_null_name = (!name::is_derived(name, table, &column, "not_null")).then(|| name.to_owned());
            spec.not_null_not_valid = not_valid;
            if no_inherit {
                unmodelled.push(format!("constraint {name} on table {}, which is not inherited", on()));
            }
        }
        if let Some(options) = rare.options {
            unmodelled.push(format!("options {options} of column {}.{column}", on()));
        }
        let order = order.try_into().unwrap_or(0);
        Ok(Found { order, unmodelled, ..Found::of(column, &spec) })
    }

    fn phrase(&self, node: &Node) -> String {
        format!("COLUMN {}.{}", relation(&node.address), Ident(node.address.name()))
    }

    fn computes(&self, node: &Node) -> Option<String> {
        node.spec.read::<ColumnSpec>().ok()?.generated.map(|generated| generated.expression)
    }

    fn stores_results(&self, node: &Node) -> Option<String> {
        let spec: ColumnSpec = node.spec.read().ok()?;
        spec.generated.filter(|generated| !generated.is_virtual)?;
        Some("until each row is updated".to_owned())
    }

    fn create(&self, node: &Node, _riders: &[&Node], scope: &Scope) -> Vec<Change> {
        node.spec.read().map(|spec| change::create(node, &spec, scope)).unwrap_or_default()
    }

    fn drop(&self, node: &Node, scope: &Scope) -> Vec<Change> {
        change::drop(node, scope)
    }

    fn alter(&self, old: &Node, new: &Node, scope: &Scope) -> Alter {
        match (old.spec.read(), new.spec.read()) {
            (Ok(a), Ok(b)) => change::alter(new, &a, &b, scope),
            _ => Alter::Replace,
        }
    }

    fn rename(&self, node: &Node, to: &str) -> Option<Change> {
        let table = relation(&node.address);
        let sql = format!("ALTER TABLE {table} RENAME COLUMN {} TO {}", Ident(node.address.name()), Ident(to));
        Some(Change::new(sql, Lock::AccessExclusive, &super::relation::table_of(&node.address)))
    }

    fn moved(&self, node: &Node, from: &Address, major: u32) -> Option<Spec> {
        let mut spec: ColumnSpec = node.spec.read().ok()?;
        let derived = |address: &Address, label: &str| {
            name::derive(address.parent().as_ref().map_or("", Address::name), address.name(), label, &|_| false)
        };
        let rename = |name: &Option<String>, label: &str| {
            let kept = name.clone().unwrap_or_else(|| derived(from, label));
            (kept != derived(&node.address, label)).then_some(kept)
        };
        if let Some(identity) = &mut spec.identity {
            identity.sequence = rename(&identity.sequence, "seq");
        }
        // Not-null constraints have names of their own from 18 on.
        if spec.not_null && major >= 18 {
            spec.not_null_name = rename(&spec.not_null_name, "not_null");
        }
        Some(Spec::of(&spec))
    }

    fn clause(&self, node: &Node, _scope: &Scope) -> Option<(String, Vec<Change>)> {
        let spec: ColumnSpec = node.spec.read().ok()?;
        Some((
            format!("{} {}", Ident(node.address.name()), spec.definition(!spec.not_null_not_valid)),
            change::settings(node, None, &spec),
        ))
    }

    fn stays_with_parent(&self) -> bool {
        true
    }

    fn early(&self, node: &Node) -> Option<Node> {
        let mut spec: ColumnSpec = node.spec.read().ok()?;
        spec.default.take()?;
        Some(Node { spec: Spec::of(&spec), needs: Vec::new(), ..node.clone() })
    }

    fn rebind(&self, node: &Node, below: &Address, cause: Cause, scope: &Scope) -> Rebind {
        node.spec.read().map_or(Rebind::Replace, |spec| change::rebind(node, &spec, below, cause, scope))
    }

    fn comes_after(&self, node: &Node, desired: &Model) -> Vec<Address> {
        // A backfill may look up reference rows of the tables it reads.
        if node.hints.as_ref().is_none_or(|h| h.backfill.is_none()) {
            return Vec::new();
        }
        let tables = node.needs.iter().filter(|n| n.kind() == "table");
        tables
            .flat_map(|t| desired.children(t))
            .filter(|n| n.address.kind() == "row")
            .map(|n| n.address.clone())
            .collect()
    }

    fn grantable(&self, node: &Node, _major: u32) -> Option<Grantable> {
        Some(grantable(node))
    }

    fn preflight(&self, old: Option<&Node>, new: &Node, scope: &Scope) -> Vec<Question> {
        let before = old.and_then(|n| n.spec.read().ok());
        new.spec.read().map(|spec| change::preflight(new, before.as_ref(), &spec, scope)).unwrap_or_default()
    }
}

/// What can be granted on a column of a relation.
pub fn grantable(node: &Node) -> Grantable {
    Grantable {
        on: format!("TABLE {}", relation(&node.address)),
        column: Some(node.address.name().to_owned()),
        privileges: &["select", "insert", "update", "references"],
        default_class: '-',
        public: &[],
    }
}

#[cfg(test)]
mod tests {
    use super::ColumnSpec;

    #[test]
    fn definitions_are_whole() {
        let spec = ColumnSpec {
            ty: "text".into(),
            not_null: true,
            default: Some("'x'::text".into()),
            ..ColumnSpec::default()
        };
        assert_eq!(spec.definition(true), "text DEFAULT 'x'::text NOT NULL");
        assert_eq!(spec.definition(false), "text DEFAULT 'x'::text");
    }
}
