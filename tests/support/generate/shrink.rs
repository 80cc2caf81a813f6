//! Smaller candidates, always valid, the most promising first.

use super::repair::repair;
use super::schema::*;

/// One thing less.
pub fn shrink(schema: &Schema) -> Vec<Schema> {
    let mut all = Vec::new();
    for part in parts(schema) {
        all.push(without(schema, &part));
    }
    all
}

/// Both lose one thing, or the second schema agrees with the first in one more respect.
pub fn shrink_pair(a: &Schema, b: &Schema) -> Vec<(Schema, Schema)> {
    let mut all: Vec<(Schema, Schema)> = reverted(a, b).into_iter().map(|b| (a.clone(), b)).collect();
    let mut both = parts(a);
    both.extend(parts(b).into_iter().filter(|part| !both.contains(part)).collect::<Vec<_>>());
    all.extend(both.iter().map(|part| (without(a, part), without(b, part))));
    all.retain(|pair| pair.0 != *a || pair.1 != *b);
    all
}

/// The name of something that may go.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    Table(Name),
    View(Name),
    Function(String),
    Sequence(Name),
    Enum(Name),
    Domain(Name),
    /// What a table holds: a list of its and the name there, or the position.
    Inner(Name, List, String),
    ViewIndex(Name, String),
    Facets(String),
    Extension,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum List {
    Column,
    PrimaryKey,
    Unique,
    Check,
    ForeignKey,
    Exclusion,
    Index,
    Policy,
    Trigger,
    Particulars,
}

fn parts(schema: &Schema) -> Vec<Part> {
    let mut all: Vec<Part> = schema.tables.iter().map(|one| Part::Table(one.name.clone())).collect();
    all.extend(schema.extension.map(|_| Part::Extension));
    all.extend(schema.views.iter().map(|one| Part::View(one.name.clone())));
    all.extend(schema.functions.iter().map(|one| Part::Function(one.signature())));
    all.extend(schema.sequences.iter().map(|one| Part::Sequence(one.name.clone())));
    all.extend(schema.domains.iter().map(|one| Part::Domain(one.name.clone())));
    all.extend(schema.enums.iter().map(|one| Part::Enum(one.name.clone())));
    for table in &schema.tables {
        let mut inner = |list: List, name: String| all.push(Part::Inner(table.name.clone(), list, name));
        table.foreign_keys.iter().for_each(|one| inner(List::ForeignKey, key_of(&one.name, &one.columns)));
        table.triggers.iter().for_each(|one| inner(List::Trigger, one.name.clone()));
        table.policies.iter().for_each(|one| inner(List::Policy, one.name.clone()));
        table.indexes.iter().for_each(|one| inner(List::Index, one.name.clone()));
        table.exclusions.iter().for_each(|one| inner(List::Exclusion, one.name.clone()));
        table.checks.iter().for_each(|one| inner(List::Check, key_of(&one.name, &one.condition.columns)));
        table.uniques.iter().for_each(|one| inner(List::Unique, key_of(&one.name, &one.columns)));
        table.primary_key.iter().for_each(|_| inner(List::PrimaryKey, String::new()));
        table.columns.iter().for_each(|one| inner(List::Column, one.name.clone()));
        inner(List::Particulars, String::new());
    }
    for view in &schema.views {
        all.extend(view.indexes.iter().map(|index| Part::ViewIndex(view.name.clone(), index.name.clone())));
    }
    all.extend(all_facets(&mut schema.clone()).into_iter().map(|(name, _)| Part::Facets(name)));
    all
}

fn key_of(name: &Option<String>, columns: &[String]) -> String {
    name.clone().unwrap_or_else(|| columns.join(","))
}

fn all_facets(schema: &mut Schema) -> Vec<(String, &mut Facets)> {
    let mut all: Vec<(String, &mut Facets)> = Vec::new();
    all.extend(schema.schemas.iter_mut().map(|one| (quote(&one.name), &mut one.facets)));
    all.extend(schema.tables.iter_mut().map(|one| (one.name.sql(), &mut one.facets)));
    all.extend(schema.views.iter_mut().map(|one| (one.name.sql(), &mut one.facets)));
    all.extend(schema.sequences.iter_mut().map(|one| (one.name.sql(), &mut one.facets)));
    all.extend(schema.enums.iter_mut().map(|one| (one.name.sql(), &mut one.facets)));
    all.extend(schema.domains.iter_mut().map(|one| (one.name.sql(), &mut one.facets)));
    all.extend(schema.functions.iter_mut().map(|one| (one.signature(), &mut one.facets)));
    all.retain(|(_, facets)| **facets != Facets::default());
    all
}

/// The schema without a part; the same if it has no such part.
fn without(schema: &Schema, part: &Part) -> Schema {
    let mut new = schema.clone();
    match part {
        Part::Table(name) => new.tables.retain(|one| one.name != *name),
        Part::Extension => new.extension = None,
        Part::View(name) => new.views.retain(|one| one.name != *name),
        Part::Function(signature) => new.functions.retain(|one| one.signature() != *signature),
        Part::Sequence(name) => new.sequences.retain(|one| one.name != *name),
        Part::Enum(name) => new.enums.retain(|one| one.name != *name),
        Part::Domain(name) => new.domains.retain(|one| one.name != *name),
        Part::ViewIndex(of, name) => {
            for view in new.views.iter_mut().filter(|view| view.name == *of) {
                view.indexes.retain(|index| index.name != *name);
            }
        }
        Part::Facets(of) => {
            for (_, facets) in all_facets(&mut new).into_iter().filter(|(name, _)| name == of) {
                *facets = Facets::default();
            }
        }
        Part::Inner(of, list, name) => {
            for table in new.tables.iter_mut().filter(|table| table.name == *of) {
                remove(table, *list, name);
            }
        }
    }
    repair(&mut new);
    new
}

fn remove(table: &mut Table, list: List, name: &str) {
    match list {
        List::Column => table.columns.retain(|one| one.name != name),
        List::PrimaryKey => table.primary_key = None,
        List::Unique => table.uniques.retain(|one| key_of(&one.name, &one.columns) != name),
        List::Check => table.checks.retain(|one| key_of(&one.name, &one.condition.columns) != name),
        List::ForeignKey => table.foreign_keys.retain(|one| key_of(&one.name, &one.columns) != name),
        List::Exclusion => table.exclusions.retain(|one| one.name != name),
        List::Index => table.indexes.retain(|one| one.name != name),
        List::Policy => table.policies.retain(|one| one.name != name),
        List::Trigger => table.triggers.retain(|one| one.name != name),
        List::Particulars => {
            (table.unlogged, table.replica_identity, table.row_security) = (false, None, RowSecurity::Off);
            table.with.clear();
            for column in &mut table.columns {
                (column.storage, column.compression, column.statistics, column.comment) = (None, None, None, None);
            }
        }
    }
}

/// Schemas like `b` that are like `a` in one more respect.
fn reverted(a: &Schema, b: &Schema) -> Vec<Schema> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Schema)| {
        let mut new = b.clone();
        change(&mut new);
        repair(&mut new);
        if new != *b {
            all.push(new);
        }
    };
    with(&|new| new.tables.clone_from(&a.tables));
    with(&|new| new.views.clone_from(&a.views));
    with(&|new| new.functions.clone_from(&a.functions));
    with(&|new| new.sequences.clone_from(&a.sequences));
    with(&|new| new.domains.clone_from(&a.domains));
    with(&|new| new.enums.clone_from(&a.enums));
    with(&|new| new.schemas.clone_from(&a.schemas));
    for old in &a.tables {
        if b.table(&old.name).is_none() {
            with(&|new| new.tables.push(old.clone()));
        }
        for (at, now) in b.tables.iter().enumerate().filter(|(_, now)| now.name == old.name && *now != old) {
            with(&|new| new.tables[at] = old.clone());
            with(&|new| new.tables[at].columns.clone_from(&old.columns));
            with(&|new| new.tables[at].foreign_keys.clone_from(&old.foreign_keys));
            with(&|new| new.tables[at].indexes.clone_from(&old.indexes));
            with(&|new| new.tables[at].policies.clone_from(&old.policies));
            with(&|new| new.tables[at].triggers.clone_from(&old.triggers));
            with(&|new| new.tables[at].checks.clone_from(&old.checks));
            with(&|new| new.tables[at].uniques.clone_from(&old.uniques));
            with(&|new| new.tables[at].primary_key.clone_from(&old.primary_key));
            with(&|new| new.tables[at].exclusions.clone_from(&old.exclusions));
            with(&|new| new.tables[at].facets.clone_from(&old.facets));
            with(&|new| new.tables[at].row_security = old.row_security);
            for column in &old.columns {
                if let Some(which) = now.columns.iter().position(|one| one.name == column.name && one != column) {
                    with(&|new| new.tables[at].columns[which] = column.clone());
                }
            }
        }
    }
    for old in &a.views {
        if let Some(at) = b.views.iter().position(|now| now.name == old.name && now != old) {
            with(&|new| new.views[at] = old.clone());
        }
    }
    for old in &a.functions {
        if let Some(at) = b.functions.iter().position(|now| now.signature() == old.signature() && now != old) {
            with(&|new| new.functions[at] = old.clone());
        }
    }
    all
}
