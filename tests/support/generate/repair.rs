//! What has lost what it needs goes too, until everything stands: so any part of a schema may be
//! removed or changed without care, and the result is valid.

use super::schema::*;
use std::collections::BTreeSet;

pub fn repair(schema: &mut Schema) {
    loop {
        let before = schema.clone();
        let has = Has::of(schema);
        let major = schema.major;
        schema.functions.retain(|one| has.all(&one.needs) && one.arguments.iter().all(|one| has.kind(&one.kind)));
        for table in &mut schema.tables {
            repair_table(table, &has, major);
        }
        let tables = schema.tables.clone();
        for table in &mut schema.tables {
            let child = table.clone();
            table.foreign_keys.retain(|key| stands(key, &child, &tables));
        }
        repair_sequences(schema);
        repair_views(schema, &has);
        if *schema == before {
            return;
        }
    }
}

/// The same without its extension, for servers of other majors.
pub fn portable(mut schema: Schema) -> Schema {
    schema.extension = None;
    repair(&mut schema);
    schema
}

/// What there is.
struct Has {
    functions: BTreeSet<String>,
    relations: BTreeSet<Name>,
    columns: BTreeSet<(Name, String)>,
    primary_keys: BTreeSet<(Name, Vec<String>)>,
    types: BTreeSet<Name>,
    extension: Option<&'static str>,
}

impl Has {
    fn of(schema: &Schema) -> Has {
        let tables = schema.tables.iter();
        let table_columns = tables
            .clone()
            .flat_map(|table| table.columns.iter().map(|column| (table.name.clone(), column.name.clone())));
        let view_columns = schema
            .views
            .iter()
            .flat_map(|view| view.outputs.iter().map(|output| (view.name.clone(), output.0.clone())));
        let keys = tables.clone().filter_map(|table| {
            let key = table.primary_key.as_ref().filter(|key| key.deferral == Deferral::No)?;
            Some((table.name.clone(), key.columns.clone()))
        });
        Has {
            extension: schema.extension,
            functions: schema.functions.iter().map(Function::signature).collect(),
            relations: tables
                .map(|one| one.name.clone())
                .chain(schema.views.iter().map(|one| one.name.clone()))
                .chain(schema.sequences.iter().map(|one| one.name.clone()))
                .collect(),
            columns: table_columns.chain(view_columns).collect(),
            primary_keys: keys.collect(),
            types: schema
                .enums
                .iter()
                .map(|one| one.name.clone())
                .chain(schema.domains.iter().map(|one| one.name.clone()))
                .collect(),
        }
    }

    fn need(&self, need: &Need) -> bool {
        match need {
            Need::Function(signature) => self.functions.contains(signature),
            Need::Relation(name) => self.relations.contains(name),
            Need::Column(of, column) => self.columns.contains(&(of.clone(), column.clone())),
            Need::PrimaryKey(of, columns) => self.primary_keys.contains(&(of.clone(), columns.clone())),
            Need::Type(name) => self.types.contains(name),
        }
    }

    fn all(&self, needs: &[Need]) -> bool {
        needs.iter().all(|need| self.need(need))
    }

    fn kind(&self, kind: &Type) -> bool {
        kind.user().is_none_or(|name| self.types.contains(name))
            && kind.extension().is_none_or(|name| self.extension == Some(name))
    }
}

fn repair_table(table: &mut Table, has: &Has, major: u32) {
    let names: BTreeSet<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    let plain: BTreeSet<String> =
        table.columns.iter().filter(|column| column.plain()).map(|column| column.name.clone()).collect();
    let there = |columns: &[String]| columns.iter().all(|column| names.contains(column));
    let holds = |expr: &Expr| there(&expr.columns) && has.all(&expr.needs);
    let holds_if_any = |expr: &Option<Expr>| expr.as_ref().is_none_or(holds);

    table.primary_key = table.primary_key.take().filter(|key| there(&key.columns));
    table.uniques.retain(|key| there(&key.columns));
    for key in table.primary_key.iter_mut().chain(&mut table.uniques) {
        key.include.retain(|column| names.contains(column));
        key.nulls_not_distinct &= major >= 15;
    }
    table.checks.retain(|check| holds(&check.condition));
    table.exclusions.retain(|one| names.contains(&one.column) && holds_if_any(&one.predicate));
    table.indexes.retain(|index| index.keys.iter().all(holds) && holds_if_any(&index.predicate));
    for index in &mut table.indexes {
        index.include.retain(|column| names.contains(column));
    }
    table.policies.retain(|one| holds_if_any(&one.using) && holds_if_any(&one.check));
    table.triggers.retain(|one| {
        // A generated column in UPDATE OF or WHEN is another story.
        one.update_of.iter().all(|column| plain.contains(column))
            && holds_if_any(&one.when)
            && has.functions.contains(&one.function)
    });
    for grant in &mut table.facets.grants {
        let some = !grant.columns.is_empty();
        grant.columns.retain(|column| names.contains(column));
        if some && grant.columns.is_empty() {
            grant.privileges.clear();
        }
    }
    table.facets.grants.retain(|grant| !grant.privileges.is_empty());

    let keyed: Vec<String> = table.primary_key.iter().flat_map(|key| key.columns.clone()).collect();
    table.columns.retain(|column| {
        let base =
            column.generated.as_ref().is_none_or(|one| holds(one) && one.columns.iter().all(|of| plain.contains(of)));
        has.kind(&column.kind) && base
    });
    for column in &mut table.columns {
        column.default = column.default.take().filter(|one| has.all(&one.needs));
        column.not_null |= keyed.contains(&column.name) || column.identity.is_some() || column.serial;
        column.nulls &= !column.not_null;
    }
}

/// A foreign key needs its columns, and a key that is not deferrable on those of the parent.
fn stands(key: &ForeignKey, child: &Table, tables: &[Table]) -> bool {
    let Some(parent) = tables.iter().find(|table| table.name == key.references) else {
        return false;
    };
    let unique = parent.keys().any(|one| one.deferral == Deferral::No && one.columns == key.referenced);
    let match_kinds =
        key.columns.iter().zip(&key.referenced).all(|(from, to)| match (child.column(from), parent.column(to)) {
            (Some(from), Some(to)) => from.plain() && from.kind.family() == to.kind.family(),
            _ => false,
        });
    unique && match_kinds && parent.unlogged == child.unlogged
}

fn repair_sequences(schema: &mut Schema) {
    for sequence in &mut schema.sequences {
        let Some((name, column)) = &sequence.owned_by else { continue };
        let table = schema.tables.iter().find(|table| table.name == *name);
        match table.filter(|table| table.column(column).is_some()) {
            Some(table) => sequence.facets.owner.clone_from(&table.facets.owner),
            None => sequence.owned_by = None,
        }
    }
    // A sequence that another table's default takes values from outlives its owner: it has none.
    let owned: Vec<Name> =
        schema.sequences.iter().filter(|one| one.owned_by.is_some()).map(|one| one.name.clone()).collect();
    for table in &mut schema.tables {
        for column in &mut table.columns {
            column.default = column
                .default
                .take()
                .filter(|default| !owned.iter().any(|name| default.needs.contains(&Need::Relation(name.clone()))));
        }
    }
}

fn repair_views(schema: &mut Schema, has: &Has) {
    schema.views.retain(|view| has.all(&view.query.needs) && view.outputs.iter().all(|(_, kind)| has.kind(kind)));
    for view in &mut schema.views {
        let there = |expr: &Expr| {
            expr.columns.iter().all(|column| view.outputs.iter().any(|(output, _)| output == column))
                && has.all(&expr.needs)
        };
        view.indexes.retain(|index| index.keys.iter().all(there));
        for grant in &mut view.facets.grants {
            let some = !grant.columns.is_empty();
            grant.columns.retain(|column| view.outputs.iter().any(|(output, _)| output == column));
            if some && grant.columns.is_empty() {
                grant.privileges.clear();
            }
        }
        view.facets.grants.retain(|grant| !grant.privileges.is_empty());
    }
    repair_owners(schema);
}

/// A materialized view is filled as its owner, and a view reads as its own: neither may be a role
/// that lacks the privileges. Indexes are built as the table's owner, with the functions they call.
fn repair_owners(schema: &mut Schema) {
    let mut read: Vec<Need> = Vec::new();
    for view in schema.views.iter_mut().rev() {
        if view.materialized || read.contains(&Need::Relation(view.name.clone())) {
            view.facets.owner = None;
            read.extend(view.query.needs.iter().cloned());
        }
    }
    for function in schema.functions.iter_mut().filter(|one| one.purpose == Purpose::Number) {
        function.facets.private = false;
    }
}
