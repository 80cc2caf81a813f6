//! Constraints and indexes: each holds for the rows that the table has or may have by now.

use super::expression::{conditions, number};
use super::random::{bare_column, comment, name};
use super::schema::*;
use super::Rng;

/// Rows differ in it.
fn distinguishes(table: &Table, column: &Column) -> bool {
    column.plain() && column.kind.distinct() && (table.fresh || !column.fresh)
}

fn names_of(columns: &[&Column]) -> Vec<String> {
    columns.iter().map(|column| column.name.clone()).collect()
}

/// Columns of which one at least distinguishes all rows.
fn distinct_columns(rng: &mut Rng, table: &Table, fits: impl Fn(&Column) -> bool) -> Option<Vec<String>> {
    let first = rng.pick_where(&table.columns, |column| distinguishes(table, column) && fits(column))?;
    let mut chosen = vec![first];
    if rng.chance(30) {
        chosen.extend(rng.pick_where(&table.columns, |column| {
            column.name != first.name && column.plain() && fits(column) && column.kind.family() != Family::Other
        }));
    }
    if rng.chance(50) {
        chosen.reverse();
    }
    Some(names_of(&chosen))
}

fn includes(rng: &mut Rng, table: &Table, keys: &[String]) -> Vec<String> {
    if !rng.chance(15) {
        return Vec::new();
    }
    rng.pick_where(&table.columns, |column| !keys.contains(&column.name))
        .map(|column| column.name.clone())
        .into_iter()
        .collect()
}

pub fn deferral(rng: &mut Rng) -> Deferral {
    *rng.pick(&[Deferral::No, Deferral::No, Deferral::No, Deferral::No, Deferral::Deferrable, Deferral::Initially])
}

pub fn primary_key(schema: &mut Schema, rng: &mut Rng, table: &Table) -> Option<UniqueKey> {
    let columns = distinct_columns(rng, table, |column| !column.nulls)?;
    Some(UniqueKey {
        name: rng.chance(60).then(|| name(schema, rng, "pk")),
        include: includes(rng, table, &columns),
        columns,
        deferral: if rng.chance(95) { Deferral::No } else { Deferral::Deferrable },
        nulls_not_distinct: false,
        comment: comment(rng),
    })
}

pub fn unique(schema: &mut Schema, rng: &mut Rng, table: &Table) -> Option<UniqueKey> {
    let columns = distinct_columns(rng, table, |_| true)?;
    Some(UniqueKey {
        name: rng.chance(80).then(|| name(schema, rng, "uq")),
        include: includes(rng, table, &columns),
        columns,
        deferral: deferral(rng),
        nulls_not_distinct: schema.major >= 15 && rng.chance(25),
        comment: comment(rng),
    })
}

pub fn check(schema: &mut Schema, rng: &mut Rng, table: &Table) -> Option<Check> {
    let condition = conditions(schema, rng, table)?;
    Some(Check {
        name: rng.chance(80).then(|| name(schema, rng, "ck")),
        condition,
        no_inherit: rng.chance(10),
        not_valid: rng.chance(10),
        comment: comment(rng),
    })
}

pub fn exclusion(schema: &mut Schema, rng: &mut Rng, table: &Table) -> Option<Exclusion> {
    let column = rng
        .pick_where(&table.columns, |column| {
            column.plain() && column.kind == Type::Int4Range && (table.fresh || !column.fresh)
        })?
        .name
        .clone();
    Some(Exclusion {
        name: name(schema, rng, "ex"),
        column,
        predicate: if rng.chance(30) { conditions(schema, rng, table) } else { None },
        deferral: deferral(rng),
    })
}

/// A foreign key of a table to one of the tables, itself included. Where rows are already, it takes
/// columns that hold what the parent's hold; else it may bring columns of its own.
pub fn foreign_key(schema: &mut Schema, rng: &mut Rng, at: usize) -> Option<ForeignKey> {
    let child = schema.tables[at].clone();
    let parents: Vec<(Name, UniqueKey, bool)> = schema
        .tables
        .iter()
        .filter(|parent| parent.unlogged == child.unlogged)
        .flat_map(|parent| {
            // A null in the parent would leave its row's children without one.
            let full = |name: &String| parent.column(name).is_some_and(|column| !column.nulls);
            let usable = parent.keys().filter(move |key| key.deferral == Deferral::No && key.columns.iter().all(full));
            usable.map(|key| (parent.name.clone(), key.clone(), parent.fresh))
        })
        .collect();
    if parents.is_empty() {
        return None;
    }
    let (references, key, parent_fresh) = rng.pick(&parents).clone();
    let parent = schema.table(&references)?.clone();
    let mut columns: Vec<String> = Vec::new();
    for wanted in &key.columns {
        let wanted = parent.column(wanted)?;
        // A parent's column that a mutation brought holds one value; the child's own differ.
        let fits = |column: &Column| {
            column.plain()
                && column.kind.family() == wanted.kind.family()
                && column.kind.distinct()
                && !columns.contains(&column.name)
                && (child.fresh || (!column.fresh && !wanted.fresh && !parent_fresh))
        };
        let found = if rng.chance(50) { rng.pick_where(&child.columns, fits) } else { None };
        match found {
            Some(found) => columns.push(found.name.clone()),
            None => {
                let kind = match &wanted.kind {
                    Type::Int if rng.chance(20) => Type::BigInt,
                    other => other.clone(),
                };
                let mut new = bare_column(name(schema, rng, "ref"), kind);
                new.fresh = schema.mutating && !child.fresh;
                new.nulls = new.fresh || rng.chance(30);
                new.not_null = !new.nulls && rng.chance(40);
                new.comment = comment(rng);
                columns.push(new.name.clone());
                schema.tables[at].columns.push(new);
            }
        }
    }
    let on_delete = *rng.pick(&["no action", "cascade", "set null", "set default", "restrict"]);
    let set_columns = if schema.major >= 15 && on_delete.starts_with("set") && rng.chance(40) {
        rng.some_of(&columns, 2)
    } else {
        Vec::new()
    };
    Some(ForeignKey {
        name: rng.chance(80).then(|| name(schema, rng, "fk")),
        match_full: columns.len() == 1 && rng.chance(10),
        columns,
        references,
        referenced: key.columns,
        on_delete,
        on_update: rng.word(&["no action", "no action", "cascade", "set null", "restrict"]),
        set_columns,
        deferral: deferral(rng),
        not_valid: rng.chance(8),
        comment: comment(rng),
    })
}

/// An index of a table. A unique one is on columns that distinguish rows.
pub fn index(schema: &mut Schema, rng: &mut Rng, at: usize) -> Option<Index> {
    let table = schema.tables[at].clone();
    if table.columns.is_empty() {
        return None;
    }
    let unique = rng.chance(20);
    let (using, keys) = if unique {
        ("btree", distinct_columns(rng, &table, |_| true)?.iter().map(|column| plain_key(rng, column)).collect())
    } else {
        let column = rng.pick(&table.columns).clone();
        keys(schema, rng, &table, &column)
    };
    let key_columns: Vec<String> = keys.iter().flat_map(|key: &Expr| key.columns.clone()).collect();
    let include = if using == "btree" { includes(rng, &table, &key_columns) } else { Vec::new() };
    let with = match using {
        "btree" => Some(*rng.pick(&[("fillfactor", "70"), ("deduplicate_items", "off")])),
        "gin" => Some(("fastupdate", "off")),
        "brin" => Some(("pages_per_range", "32")),
        "ivfflat" => Some(("lists", "7")),
        "hnsw" => Some(("ef_construction", "80")),
        _ => Some(("fillfactor", "75")),
    };
    Some(Index {
        name: name(schema, rng, "ix"),
        unique,
        using,
        keys,
        include,
        predicate: if rng.chance(20) { conditions(schema, rng, &table) } else { None },
        with: with.filter(|_| rng.chance(15)),
        nulls_not_distinct: unique && schema.major >= 15 && rng.chance(20),
        comment: comment(rng),
    })
}

fn plain_key(rng: &mut Rng, column: &str) -> Expr {
    let order = *rng.pick(&["", "", "", " desc", " nulls first", " desc nulls last", " asc"]);
    Expr { sql: format!("{}{order}", quote(column)), columns: vec![column.into()], needs: Vec::new() }
}

/// A method and keys that a column's type suggests.
fn keys(schema: &Schema, rng: &mut Rng, table: &Table, column: &Column) -> (&'static str, Vec<Expr>) {
    let from = quote(&column.name);
    let one = |sql: String, needs: Vec<Need>| vec![Expr { sql, columns: vec![column.name.clone()], needs }];
    match &column.kind {
        Type::Jsonb => match rng.below(3) {
            0 => ("gin", one(from, vec![])),
            1 => ("gin", one(format!("{from} jsonb_path_ops"), vec![])),
            _ => ("btree", one(format!("({from} ->> 'k')"), vec![])),
        },
        Type::TsVector | Type::Array(_) => ("gin", one(from, vec![])),
        Type::Int4Range => ("gist", one(from, vec![])),
        Type::Vector => match rng.below(3) {
            0 => ("hnsw", one(format!("{from} public.vector_cosine_ops"), vec![])),
            1 => ("hnsw", one(format!("{from} public.vector_l2_ops"), vec![])),
            _ => ("ivfflat", one(format!("{from} public.vector_l2_ops"), vec![])),
        },
        Type::Int | Type::BigInt | Type::SmallInt if rng.chance(40) => match (rng.below(4), number(schema, rng)) {
            (0, _) => ("brin", one(from, vec![])),
            (1, _) => ("hash", one(from, vec![])),
            (2, Some((call, need))) => ("btree", one(format!("{call}({from}) desc"), vec![need])),
            _ => ("btree", one(format!("({from} + 1)"), vec![])),
        },
        Type::Text | Type::Varchar(_) if rng.chance(50) => match rng.below(4) {
            0 => ("btree", one(format!("lower({from})"), vec![])),
            1 => ("btree", one(format!("{from} collate \"C\" desc"), vec![])),
            2 => ("btree", one(format!("{from} text_pattern_ops"), vec![])),
            _ => ("btree", one(format!("(({from} || '-') collate \"POSIX\") nulls first"), vec![])),
        },
        Type::Date | Type::Timestamptz if rng.chance(40) => ("brin", one(from, vec![])),
        _ => {
            let mut keys = vec![plain_key(rng, &column.name)];
            if rng.chance(35) {
                let other = rng.pick(&table.columns);
                if other.name != column.name {
                    keys.push(plain_key(rng, &other.name));
                }
            }
            ("btree", keys)
        }
    }
}
