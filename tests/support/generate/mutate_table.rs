//! Changes inside tables.

use super::expression::{any_default, conditions};
use super::mutate::change_facets;
use super::random::{self, bare_column, name, STORAGE_PARAMETERS, TABLE_PRIVILEGES};
use super::schema::*;
use super::{acting, keyed, Rng, ROLES};

/// A table and its position.
fn some(schema: &Schema, rng: &mut Rng, fits: impl Fn(&Table) -> bool) -> Option<usize> {
    let all: Vec<usize> = (0..schema.tables.len()).filter(|at| fits(&schema.tables[*at])).collect();
    (!all.is_empty()).then(|| *rng.pick(&all))
}

/// Lets `change` at one of those columns for which the condition holds.
fn at_column(
    schema: &mut Schema,
    rng: &mut Rng,
    fits: impl Fn(&Column) -> bool,
    change: impl FnOnce(&mut Column, &mut Rng),
) -> bool {
    let Some(at) = some(schema, rng, |table| table.columns.iter().any(&fits)) else { return false };
    let mut all: Vec<&mut Column> = schema.tables[at].columns.iter_mut().filter(|one| fits(one)).collect();
    let which = rng.below(all.len());
    change(all[which], rng);
    true
}

fn toggle<T>(from: &mut Option<T>, other: T) {
    *from = if from.is_some() { None } else { Some(other) };
}

/// Removes one of what a table holds several of.
fn remove_from<T>(schema: &mut Schema, rng: &mut Rng, part: impl Fn(&mut Table) -> &mut Vec<T>) -> bool {
    let mut full: Vec<&mut Vec<T>> = schema.tables.iter_mut().map(part).filter(|part| !part.is_empty()).collect();
    if full.is_empty() {
        return false;
    }
    let at = rng.below(full.len());
    let which = rng.below(full[at].len());
    full[at].remove(which);
    true
}

/// One of what tables hold several of: the table's position and its own.
fn one_of<T>(schema: &Schema, rng: &mut Rng, part: impl Fn(&Table) -> &Vec<T>) -> Option<(usize, usize)> {
    let all: Vec<(usize, usize)> = schema
        .tables
        .iter()
        .enumerate()
        .flat_map(|(at, table)| (0..part(table).len()).map(move |which| (at, which)))
        .collect();
    (!all.is_empty()).then(|| *rng.pick(&all))
}

pub fn storage(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some(at) = some(schema, rng, |_| true) else { return false };
    let new = *rng.pick(&STORAGE_PARAMETERS);
    let with = &mut schema.tables[at].with;
    *with = if with.contains(&new) { Vec::new() } else { vec![new] };
    true
}

pub fn persistence(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some(at) = some(schema, rng, |_| true) else { return false };
    schema.tables[at].unlogged = !schema.tables[at].unlogged;
    true
}

pub fn replica_identity(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some(at) = some(schema, rng, |_| true) else { return false };
    toggle(&mut schema.tables[at].replica_identity, "full");
    true
}

pub fn add_column(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some(at) = some(schema, rng, |_| true) else { return false };
    let new = random::late_column(schema, rng);
    let columns = &mut schema.tables[at].columns;
    columns.push(new);
    true
}

pub fn add_generated(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some(at) = some(schema, rng, |_| true) else { return false };
    let table = schema.tables[at].clone();
    let new = random::generated_column(schema, rng, &table);
    let any = new.is_some();
    schema.tables[at].columns.extend(new);
    any
}

pub fn add_identity(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some(at) = some(schema, rng, |_| true) else { return false };
    let mut new = bare_column(name(schema, rng, "n"), Type::BigInt);
    new.identity = Some(random::identity(rng));
    (new.not_null, new.fresh) = (true, true);
    schema.tables[at].columns.push(new);
    true
}

pub fn drop_column(schema: &mut Schema, rng: &mut Rng) -> bool {
    remove_from(schema, rng, |table| &mut table.columns)
}

/// A wider type, or a text that is cut where no value is.
pub fn column_type(schema: &mut Schema, rng: &mut Rng) -> bool {
    let wider = |kind: &Type, rng: &mut Rng| {
        Some(match kind {
            Type::SmallInt => rng.pick(&[Type::Int, Type::BigInt]).clone(),
            Type::Int => Type::BigInt,
            Type::Varchar(length) => rng.pick(&[Type::Varchar(length + 50), Type::Text]).clone(),
            Type::Text => Type::Varchar(200),
            Type::Numeric(precision, scale) => {
                rng.pick(&[Type::Numeric(precision + 4, *scale), Type::Numeric(precision + 4, scale + 2)]).clone()
            }
            Type::Array(of) if **of == Type::Int => Type::Array(Box::new(Type::BigInt)),
            Type::Array(of) if matches!(**of, Type::Varchar(_)) => Type::Array(Box::new(Type::Text)),
            _ => return None,
        })
    };
    at_column(
        schema,
        rng,
        |column| column.generated.is_none() && !column.serial && wider(&column.kind, &mut Rng::new(0)).is_some(),
        |column, rng| {
            if let Some(kind) = wider(&column.kind, rng) {
                column.kind = kind;
            }
        },
    )
}

pub fn column_not_null(schema: &mut Schema, rng: &mut Rng) -> bool {
    at_column(
        schema,
        rng,
        |column| column.plain() && !column.nulls && column.identity.is_none() && !column.serial,
        |column, _| column.not_null = !column.not_null,
    )
}

pub fn column_default(schema: &mut Schema, rng: &mut Rng) -> bool {
    // What a fresh column's rows hold is its default: that stays.
    let fits = |column: &Column| column.plain() && column.identity.is_none() && !column.serial && !column.fresh;
    let Some(at) = some(schema, rng, |table| table.columns.iter().any(fits)) else { return false };
    let all: Vec<usize> =
        (0..schema.tables[at].columns.len()).filter(|which| fits(&schema.tables[at].columns[*which])).collect();
    let which = *rng.pick(&all);
    let kind = schema.tables[at].columns[which].kind.clone();
    let new = any_default(schema, rng, &kind);
    let default = &mut schema.tables[at].columns[which].default;
    *default = if default.is_some() && rng.chance(50) { None } else { Some(new) };
    true
}

/// Adds, removes or changes an identity.
pub fn column_identity(schema: &mut Schema, rng: &mut Rng) -> bool {
    let fits = |column: &Column| {
        let can = column.kind.family() == Family::Integer && column.not_null && column.plain();
        column.identity.is_some() || can && column.default.is_none() && !column.serial
    };
    at_column(schema, rng, fits, |column, rng| match &mut column.identity {
        None => column.identity = Some(random::identity(rng)),
        Some(identity) => match rng.below(3) {
            // Without it, rows would have nothing to take.
            0 if !column.fresh => column.identity = None,
            1 => identity.always = !identity.always,
            _ => identity.increment += 1,
        },
    })
}

pub fn serial_to_identity(schema: &mut Schema, rng: &mut Rng) -> bool {
    at_column(
        schema,
        rng,
        |column| column.serial,
        |column, rng| {
            column.serial = false;
            column.identity = Some(random::identity(rng));
        },
    )
}

pub fn column_collation(schema: &mut Schema, rng: &mut Rng) -> bool {
    at_column(
        schema,
        rng,
        |column| column.plain() && column.kind.family() == Family::Text,
        |column, _| toggle(&mut column.collation, "C"),
    )
}

pub fn column_storage(schema: &mut Schema, rng: &mut Rng) -> bool {
    at_column(
        schema,
        rng,
        |column| matches!(column.kind, Type::Text | Type::Jsonb | Type::Bytea),
        |column, _| toggle(&mut column.storage, "external"),
    )
}

pub fn column_compression(schema: &mut Schema, rng: &mut Rng) -> bool {
    at_column(
        schema,
        rng,
        |column| matches!(column.kind, Type::Text | Type::Jsonb | Type::Bytea),
        |column, _| toggle(&mut column.compression, "pglz"),
    )
}

pub fn column_statistics(schema: &mut Schema, rng: &mut Rng) -> bool {
    at_column(schema, rng, |_| true, |column, _| toggle(&mut column.statistics, 777))
}

pub fn column_comment(schema: &mut Schema, rng: &mut Rng) -> bool {
    at_column(schema, rng, |_| true, |column, _| toggle(&mut column.comment, "another: 'comment'".into()))
}

pub fn generated_expression(schema: &mut Schema, rng: &mut Rng) -> bool {
    at_column(
        schema,
        rng,
        |column| column.generated.is_some() && matches!(column.kind, Type::BigInt | Type::Numeric(..) | Type::Int),
        |column, _| {
            if let Some(generated) = &mut column.generated {
                generated.sql = format!("{} + 2", generated.sql);
            }
        },
    )
}

/// Drops it, or puts another in its place.
pub fn primary_key(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some(at) = some(schema, rng, |_| true) else { return false };
    let table = schema.tables[at].clone();
    let new =
        if table.primary_key.is_some() && rng.chance(40) { None } else { keyed::primary_key(schema, rng, &table) };
    schema.tables[at].primary_key = new;
    true
}

pub fn add_unique(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some(at) = some(schema, rng, |_| true) else { return false };
    let table = schema.tables[at].clone();
    let new = keyed::unique(schema, rng, &table);
    let any = new.is_some();
    schema.tables[at].uniques.extend(new);
    any
}

pub fn drop_unique(schema: &mut Schema, rng: &mut Rng) -> bool {
    remove_from(schema, rng, |table| &mut table.uniques)
}

pub fn change_unique(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some((at, which)) = one_of(schema, rng, |table| &table.uniques) else { return false };
    let can = schema.major >= 15;
    let key = &mut schema.tables[at].uniques[which];
    match rng.below(3) {
        0 => key.deferral = if key.deferral == Deferral::No { Deferral::Initially } else { Deferral::No },
        1 if can => key.nulls_not_distinct = !key.nulls_not_distinct,
        _ => key.columns.reverse(),
    }
    true
}

pub fn add_check(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some(at) = some(schema, rng, |_| true) else { return false };
    let table = schema.tables[at].clone();
    let new = keyed::check(schema, rng, &table);
    let any = new.is_some();
    schema.tables[at].checks.extend(new);
    any
}

pub fn drop_check(schema: &mut Schema, rng: &mut Rng) -> bool {
    remove_from(schema, rng, |table| &mut table.checks)
}

pub fn change_check(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some((at, which)) = one_of(schema, rng, |table| &table.checks) else { return false };
    let table = schema.tables[at].clone();
    let condition = conditions(schema, rng, &table);
    let check = &mut schema.tables[at].checks[which];
    match (rng.below(5), condition) {
        (0, _) => check.no_inherit = !check.no_inherit,
        (1, _) => check.not_valid = !check.not_valid,
        (2, _) => toggle(&mut check.comment, "why".into()),
        (_, Some(condition)) => check.condition = condition,
        (_, None) => return false,
    }
    true
}

pub fn add_foreign_key(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some(at) = some(schema, rng, |_| true) else { return false };
    let new = keyed::foreign_key(schema, rng, at);
    let any = new.is_some();
    schema.tables[at].foreign_keys.extend(new);
    any
}

pub fn drop_foreign_key(schema: &mut Schema, rng: &mut Rng) -> bool {
    remove_from(schema, rng, |table| &mut table.foreign_keys)
}

pub fn change_foreign_key(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some((at, which)) = one_of(schema, rng, |table| &table.foreign_keys) else { return false };
    let key = &mut schema.tables[at].foreign_keys[which];
    match rng.below(4) {
        0 => {
            key.on_delete = if key.on_delete == "cascade" { "restrict" } else { "cascade" };
            key.set_columns.clear();
        }
        1 => key.on_update = if key.on_update == "cascade" { "no action" } else { "cascade" },
        2 => key.deferral = keyed::deferral(rng),
        _ => key.not_valid = !key.not_valid,
    }
    true
}

pub fn exclusion(schema: &mut Schema, rng: &mut Rng) -> bool {
    if rng.chance(40) {
        return remove_from(schema, rng, |table| &mut table.exclusions);
    }
    let Some(at) = some(schema, rng, |table| table.columns.iter().any(|column| column.kind == Type::Int4Range)) else {
        return false;
    };
    let table = schema.tables[at].clone();
    let new = keyed::exclusion(schema, rng, &table);
    let any = new.is_some();
    schema.tables[at].exclusions.extend(new);
    any
}

pub fn add_index(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some(at) = some(schema, rng, |_| true) else { return false };
    let new = keyed::index(schema, rng, at);
    let any = new.is_some();
    schema.tables[at].indexes.extend(new);
    any
}

pub fn drop_index(schema: &mut Schema, rng: &mut Rng) -> bool {
    remove_from(schema, rng, |table| &mut table.indexes)
}

/// Other keys under the same name, or other particulars.
pub fn change_index(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some((at, which)) = one_of(schema, rng, |table| &table.indexes) else { return false };
    let other = keyed::index(schema, rng, at);
    let index = &mut schema.tables[at].indexes[which];
    match (rng.below(3), other) {
        (0, _) => index.predicate = None,
        (1, _) if index.using == "btree" => toggle(&mut index.with, ("fillfactor", "60")),
        (1, _) => toggle(&mut index.comment, "an index".into()),
        (_, Some(other)) => *index = Index { name: index.name.clone(), ..other },
        (_, None) => return false,
    }
    true
}

pub fn row_security(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some(at) = some(schema, rng, |_| true) else { return false };
    schema.tables[at].row_security = *rng.pick(&[RowSecurity::Off, RowSecurity::Enabled, RowSecurity::Forced]);
    true
}

pub fn add_policy(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some(at) = some(schema, rng, |_| true) else { return false };
    let new = acting::policy(schema, rng, at);
    let any = new.is_some();
    schema.tables[at].policies.extend(new);
    any
}

pub fn drop_policy(schema: &mut Schema, rng: &mut Rng) -> bool {
    remove_from(schema, rng, |table| &mut table.policies)
}

pub fn change_policy(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some((at, which)) = one_of(schema, rng, |table| &table.policies) else { return false };
    let table = schema.tables[at].clone();
    let condition = acting::policy_condition(schema, rng, &table);
    let policy = &mut schema.tables[at].policies[which];
    match (rng.below(4), condition) {
        (0, _) => policy.restrictive = !policy.restrictive,
        (1, _) => policy.roles = if policy.roles.is_empty() { vec![rng.pick(&ROLES).to_string()] } else { Vec::new() },
        (2, _) if policy.using.is_some() && policy.check.is_some() => policy.check = None,
        (2, _) if policy.command == "select" => policy.command = "delete",
        (_, Some(condition)) if policy.using.is_some() => policy.using = Some(condition),
        (_, Some(condition)) => policy.check = Some(condition),
        (_, None) => return false,
    }
    true
}

pub fn add_trigger(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some(at) = some(schema, rng, |_| true) else { return false };
    let new = acting::trigger(schema, rng, at);
    let any = new.is_some();
    schema.tables[at].triggers.extend(new);
    any
}

pub fn drop_trigger(schema: &mut Schema, rng: &mut Rng) -> bool {
    remove_from(schema, rng, |table| &mut table.triggers)
}

pub fn change_trigger(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some((at, which)) = one_of(schema, rng, |table| &table.triggers) else { return false };
    let other = acting::trigger(schema, rng, at);
    let trigger = &mut schema.tables[at].triggers[which];
    match (rng.below(3), other) {
        (0, _) => trigger.enabled = if trigger.enabled.is_empty() { "enable always" } else { "" },
        (1, _) => toggle(&mut trigger.comment, "a trigger".into()),
        (_, Some(other)) => *trigger = Trigger { name: trigger.name.clone(), ..other },
        (_, None) => return false,
    }
    true
}

pub fn facets(schema: &mut Schema, rng: &mut Rng) -> bool {
    let Some(at) = some(schema, rng, |_| true) else { return false };
    let table = schema.tables[at].clone();
    if rng.chance(25) && !table.columns.is_empty() {
        let grant = random::column_grant(rng, &table);
        schema.tables[at].facets.grants.push(grant);
    } else {
        change_facets(&mut schema.tables[at].facets, rng, &TABLE_PRIVILEGES);
    }
    true
}
