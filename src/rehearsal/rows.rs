//! Made-up rows, so that what a plan does to rows is tried too: three for each table that has some, parents first.
//! What a constraint refuses is tried again with the values that the constraint itself names; what is refused all the
//! same is left out.

use super::trial::Known;
use super::values::Type;
use crate::catalog::Session;
use crate::error::Result;
use crate::kinds::row::RowSpec;
use crate::model::Address;
use crate::sql::{literal, qualified, tokens, Ident};
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::error::{DbError, SqlState};

/// Which rows are made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// In one of three every column that may be is NULL.
    WithNulls,
    /// Without NULLs that can be avoided.
    Complete,
    /// None but the reference rows that are there.
    Bare,
}

/// Rows for each table.
const ROWS: usize = 3;

/// How often a row is tried.
const ATTEMPTS: usize = 16;

/// Fills the tables of the stage; gives the number of rows that were made up.
pub async fn fill(session: &Session, known: &Known<'_>, fill: Fill) -> Result<usize> {
    let mut tables = read(session, known).await?;
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    let mut made_up = 0;
    session.client.batch_execute("BEGIN; SET CONSTRAINTS ALL IMMEDIATE").await?;
    if let Some((set, _)) = known.draft.search_path.around() {
        session.client.batch_execute(&set).await?;
    }
    for oid in parents_first(&tables) {
        let Some(table) = tables.remove(&oid) else { continue };
        let mut count = 0;
        for spec in &table.given {
            counts.insert(oid, count);
            count += usize::from(table.insert(session, table.reference(spec, &counts), Some(spec)).await?);
        }
        let wanted = if table.has_rows && fill != Fill::Bare { ROWS } else { 0 };
        for n in 1..=wanted {
            counts.insert(oid, count);
            let nulls = fill == Fill::WithNulls && n == 2;
            let Some(row) = table.row(n, nulls, &counts) else { continue };
            let inserted = table.insert(session, row, None).await?;
            count += usize::from(inserted);
            made_up += usize::from(inserted);
        }
        counts.insert(oid, count);
    }
    session.client.batch_execute("COMMIT").await?;
    Ok(made_up)
}

/// The number of rows in each of some tables that is still there, under the name that it was known by.
pub async fn counts(session: &Session, tables: &BTreeMap<u32, Address>) -> Result<BTreeMap<u32, (Address, i64)>> {
    let oids: Vec<u32> = tables.keys().copied().collect();
    let names =
        "select c.oid, n.nspname::text, c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
                 where c.oid = any ($1) order by c.oid";
    let mut questions = Vec::new();
    for row in session.client.query(names, &[&oids]).await? {
        let (oid, schema, name): (u32, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        questions.push(format!("select {oid}::oid, count(*) from only {}", qualified(&schema, &name)));
    }
    let mut counts = BTreeMap::new();
    if questions.is_empty() {
        return Ok(counts);
    }
    for row in session.client.query(&questions.join(" union all "), &[]).await? {
        let oid: u32 = row.try_get(0)?;
        if let Some(address) = tables.get(&oid) {
            counts.insert(oid, (address.clone(), row.try_get(1)?));
        }
    }
    Ok(counts)
}

struct Table {
    oid: u32,
    name: String,
    has_rows: bool,
    /// Reference rows that are there.
    given: Vec<RowSpec>,
    columns: Vec<Column>,
    constraints: Vec<Constraint>,
}

struct Column {
    name: String,
    /// As SQL writes it.
    ty: String,
    base: Type,
    not_null: bool,
    has_default: bool,
    identity: bool,
    generated: bool,
}

struct Constraint {
    name: String,
    columns: Vec<String>,
    /// For a foreign key: the other table, its name and its columns.
    refers: Option<(u32, String, Vec<String>)>,
    /// Texts and numbers that a check mentions.
    mentions: Vec<String>,
}

/// Column to expression; what is left out gets its default.
type Row = BTreeMap<String, String>;

async fn read(session: &Session, known: &Known<'_>) -> Result<BTreeMap<u32, Table>> {
    let names =
        "select c.oid, n.nspname::text, c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
                 where n.nspname = any ($1) and c.relkind = 'r'";
    let mut tables = BTreeMap::new();
    for row in session.client.query(names, &[&known.subject.wanted.schemas]).await? {
        let (oid, schema, name): (u32, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let address = Address::root("schema", &schema).child("table", &name);
        if known.part.model.get(&address).is_none() {
            continue;
        }
        let given = known.part.rows.iter().filter(|row| row.address.is_within(&address));
        let table = Table {
            oid,
            name: qualified(&schema, &name),
            has_rows: known.size(&address) > 0,
            given: given.filter_map(|row| row.spec.read().ok()).collect(),
            columns: Vec::new(),
            constraints: Vec::new(),
        };
        tables.insert(oid, table);
    }
    let oids: Vec<u32> = tables.keys().copied().collect();
    for row in session.client.query(include_str!("columns.sql"), &[&oids]).await? {
        let Some(table) = tables.get_mut(&row.try_get(0)?) else { continue };
        let labels: Option<Vec<String>> = row.try_get(10)?;
        let base = Type {
            name: row.try_get(7)?,
            modifier: row.try_get(8)?,
            element: row.try_get(9)?,
            labels: labels.unwrap_or_default(),
        };
        table.columns.push(Column {
            name: row.try_get(1)?,
            ty: row.try_get(2)?,
            base,
            not_null: row.try_get(3)?,
            has_default: row.try_get(4)?,
            identity: row.try_get(5)?,
            generated: row.try_get(6)?,
        });
    }
    let named: BTreeMap<u32, String> = tables.iter().map(|(oid, table)| (*oid, table.name.clone())).collect();
    for row in session.client.query(include_str!("constraints.sql"), &[&oids]).await? {
        let Some(table) = tables.get_mut(&row.try_get(0)?) else { continue };
        let (sort, parent): (String, u32) = (row.try_get(2)?, row.try_get(4)?);
        let (columns, targets): (Option<Vec<String>>, Option<Vec<String>>) = (row.try_get(3)?, row.try_get(5)?);
        let definition: String = row.try_get(6)?;
        table.constraints.push(Constraint {
            name: row.try_get(1)?,
            columns: columns.unwrap_or_default(),
            refers: named.get(&parent).map(|name| (parent, name.clone(), targets.unwrap_or_default())),
            mentions: if sort == "c" { mentions(&definition) } else { Vec::new() },
        });
    }
    Ok(tables)
}

/// The texts and numbers in a check, and the numbers beside these.
fn mentions(definition: &str) -> Vec<String> {
    let mut found = Vec::new();
    for token in tokens(definition).unwrap_or_default() {
        let text = token.text;
        if let Some(inner) = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) {
            found.push(inner.replace("''", "'"));
        } else if let Ok(number) = text.parse::<i64>() {
            found.extend([number, number.saturating_add(1), number.saturating_sub(1)].map(|n| n.to_string()));
        }
    }
    let mut seen = BTreeSet::new();
    found.retain(|text| seen.insert(text.clone()));
    found
}

/// Tables in an order in which what they refer to comes first, as far as there is one.
fn parents_first(tables: &BTreeMap<u32, Table>) -> Vec<u32> {
    let parents = |table: &Table| -> BTreeSet<u32> {
        let all = table.constraints.iter().filter_map(|c| c.refers.as_ref()).map(|(parent, ..)| *parent);
        all.filter(|parent| *parent != table.oid).collect()
    };
    let mut waiting: Vec<(&str, u32, BTreeSet<u32>)> =
        tables.values().map(|table| (table.name.as_str(), table.oid, parents(table))).collect();
    waiting.sort();
    let mut order: Vec<u32> = Vec::new();
    while !waiting.is_empty() {
        let free = |(_, _, parents): &(&str, u32, BTreeSet<u32>)| parents.iter().all(|parent| order.contains(parent));
        // In a circle the first one begins.
        let next = waiting.iter().position(free).unwrap_or(0);
        order.push(waiting.remove(next).1);
    }
    order
}

impl Table {
    /// The values of the n-th row; None where a column must have one and none can be guessed.
    fn row(&self, n: usize, nulls: bool, counts: &BTreeMap<u32, usize>) -> Option<Row> {
        let mut row = Row::new();
        let null = || "NULL".to_owned();
        let keys = self.constraints.iter().filter_map(|c| Some((c, c.refers.as_ref()?)));
        for (constraint, (parent, name, targets)) in keys {
            let count = counts.get(parent).copied().unwrap_or(0);
            for (column, target) in constraint.columns.iter().zip(targets) {
                let Some(of) = self.column(column).filter(|c| !c.generated && !c.identity) else { continue };
                let value = match count {
                    _ if nulls && !of.not_null => null(),
                    0 if !of.not_null => null(),
                    // The first row of all can only refer to itself.
                    0 if *parent == self.oid => self.column(target)?.value(n)?,
                    0 => return None,
                    count => {
                        let at = (n - 1) % count;
                        format!("(SELECT {} FROM {name} ORDER BY ctid OFFSET {at} LIMIT 1)", Ident(target))
                    }
                };
                row.entry(column.clone()).or_insert(value);
            }
        }
        for column in self.columns.iter().filter(|c| !c.generated && !c.identity) {
            if row.contains_key(&column.name) {
                continue;
            }
            if nulls && !column.not_null {
                row.insert(column.name.clone(), null());
            } else if !column.has_default {
                let value = column.value(n).or_else(|| (!column.not_null).then(null))?;
                row.insert(column.name.clone(), value);
            }
        }
        Some(row)
    }

    /// A reference row, with values for what it does not say and must have.
    fn reference(&self, spec: &RowSpec, counts: &BTreeMap<u32, usize>) -> Row {
        let mut row = self.row(1, true, counts).unwrap_or_default();
        row.retain(|name, _| self.column(name).is_some_and(|c| c.not_null));
        for (name, value) in &spec.values {
            row.insert(name.clone(), value.as_ref().map_or_else(|| "NULL".to_owned(), |text| literal(text)));
        }
        row
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Inserts a row in the open transaction, in one of some attempts; whether one was accepted.
    async fn insert(&self, session: &Session, mut row: Row, given: Option<&RowSpec>) -> Result<bool> {
        let mut tried: BTreeMap<String, usize> = BTreeMap::new();
        for _ in 0..ATTEMPTS {
            let columns: Vec<String> = row.keys().map(|name| Ident(name).to_string()).collect();
            let values: Vec<&str> = row.values().map(String::as_str).collect();
            let insert = match columns.is_empty() {
                true => format!("INSERT INTO {} DEFAULT VALUES", self.name),
                false => format!(
                    "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})",
                    self.name,
                    columns.join(", "),
                    values.join(", ")
                ),
            };
            let Err(error) =
                session.client.batch_execute(&format!("SAVEPOINT made_up; {insert}; RELEASE made_up")).await
            else {
                return Ok(true);
            };
            session.client.batch_execute("ROLLBACK TO made_up; RELEASE made_up").await?;
            let Some(error) = error.as_db_error() else { return Err(error.into()) };
            if !self.adapt(&mut row, error, &mut tried, given) {
                break;
            }
        }
        Ok(false)
    }

    /// Changes a row that was refused; false if there is nothing else to try.
    fn adapt(
        &self,
        row: &mut Row,
        error: &DbError,
        tried: &mut BTreeMap<String, usize>,
        given: Option<&RowSpec>,
    ) -> bool {
        let constraint = self.constraints.iter().find(|c| Some(c.name.as_str()) == error.constraint());
        let free = |column: &&Column| {
            let said = given.is_some_and(|spec| spec.values.contains_key(&column.name));
            let refers = self.constraints.iter().any(|c| c.refers.is_some() && c.columns.contains(&column.name));
            !said && !refers && !column.generated && !column.identity
        };
        let attempt = tried.entry(error.constraint().unwrap_or_default().to_owned()).or_default();
        *attempt += 1;
        let code = error.code();
        if *code == SqlState::CHECK_VIOLATION {
            let Some(constraint) = constraint else { return false };
            let columns: Vec<&Column> =
                constraint.columns.iter().filter_map(|name| self.column(name)).filter(free).collect();
            let fits = |mention: &&String| columns.iter().any(|c| c.takes(mention));
            let Some(mention) = constraint.mentions.iter().filter(fits).nth(*attempt - 1) else { return false };
            for column in columns.iter().filter(|c| c.takes(mention)) {
                row.insert(column.name.clone(), format!("{}::{}", literal(mention), column.ty));
            }
            return true;
        }
        if *code == SqlState::NOT_NULL_VIOLATION {
            let column = error.column().and_then(|name| self.column(name)).filter(free);
            let Some((column, value)) = column.and_then(|c| Some((c, c.value(*attempt)?))) else { return false };
            return row.insert(column.name.clone(), value).is_none();
        }
        if *code == SqlState::UNIQUE_VIOLATION {
            // Another value for what had the same in the row before.
            let of = |c: &&Column| constraint.is_none_or(|unique| unique.columns.contains(&c.name));
            let columns: Vec<&Column> = self.columns.iter().filter(free).filter(of).collect();
            let values = columns.iter().filter_map(|c| Some((c.name.clone(), c.value(*attempt + 1)?)));
            return *attempt < ROWS + 2 && values.map(|(name, value)| row.insert(name, value)).count() > 0;
        }
        false
    }
}

impl Column {
    /// Whether what a check mentions may be a value of it.
    fn takes(&self, mention: &str) -> bool {
        let number = mention.parse::<i64>().is_ok();
        match self.base.name.as_str() {
            "int2" | "int4" | "int8" | "float4" | "float8" | "numeric" => number,
            "text" | "varchar" | "bpchar" | "citext" => true,
            _ => !number,
        }
    }

    fn value(&self, n: usize) -> Option<String> {
        Some(format!("{}::{}", literal(&self.base.value(n)?), self.ty))
    }
}
