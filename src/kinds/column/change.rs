//! Statements that add, change and remove columns.

use super::{cast, ColumnSpec, Generated, Identity};
use crate::kinds::relation::{relation, table_of};
use crate::kinds::sequence::{Sequence, SequenceSpec};
use crate::kinds::{domain, enumeration, facet, foreign_key, kind_of, row_security, trigger};
use crate::kinds::{Alter, Cause, Change, Hazard, Lock, Question, Rebind, Scope};
use crate::model::{Address, Model, Node};
use crate::sql::{literal, Ident};

/// `ALTER TABLE t ALTER COLUMN c`.
fn alter_column(node: &Node) -> String {
    format!("ALTER TABLE {} ALTER COLUMN {}", relation(&node.address), Ident(node.address.name()))
}

fn locked(sql: String, node: &Node) -> Change {
    Change::new(sql, Lock::AccessExclusive, &table_of(&node.address))
}

/// Adds the column to a table that exists.
pub fn create(node: &Node, spec: &ColumnSpec, scope: &Scope) -> Vec<Change> {
    let table = table_of(&node.address);
    let live = table.iter().any(|t| scope.has_rows(t));
    let add = |definition: &str| {
        locked(
            format!("ALTER TABLE {} ADD COLUMN {} {definition}", relation(&node.address), Ident(node.address.name())),
            node,
        )
    };
    let mut changes = Vec::new();
    let backfill = node.hints.as_ref().and_then(|h| h.backfill.as_deref());
    let known = table.iter().any(|t| scope.actual.get(t).is_some());
    match backfill {
        Some(expression) if known => {
            // Rows that exist get the backfill, not the default.
            let bare = ColumnSpec { default: None, ..spec.clone() };
            changes.push(add(&bare.definition(false)));
            changes.extend(update(node, expression, "", scope));
            if let Some(default) = &spec.default {
                changes.push(locked(format!("{} SET DEFAULT {default}", alter_column(node)), node));
            }
            if spec.not_null && !spec.not_null_not_valid {
                changes.push(set_not_null(node, spec, scope));
            }
        }
        _ => {
            let stored = spec.generated.as_ref().is_some_and(|g| !g.is_virtual);
            let domains = domain::beneath(node, &spec.ty, scope);
            let default = spec.default.as_ref().or_else(|| domains.iter().find_map(|d| d.default.as_ref()));
            let checked = domains.iter().any(|d| d.not_null || !d.checks.is_empty());
            let is_virtual = spec.generated.is_some() && !stored;
            let rewrites = live
                && !is_virtual
                && (stored || spec.identity.is_some() || checked || default.is_some_and(|d| may_be_volatile(d)));
            let empty = spec.not_null && default.is_none() && spec.identity.is_none() && spec.generated.is_none();
            let definition = spec.definition(!spec.not_null_not_valid);
            changes.push(rewriting(add(&definition), rewrites).hazard_if(
                live && empty && !spec.not_null_not_valid,
                Hazard::MayFailOnData,
                "rows that exist have no value for it",
            ));
        }
    }
    changes.extend(settings(node, None, spec));
    changes
}

/// Whether a default may be evaluated per row, which rewrites the table. What is certainly constant
/// is a literal, perhaps cast, and the functions of the transaction's time.
fn may_be_volatile(default: &str) -> bool {
    let Ok(tokens) = crate::sql::tokens(default) else { return true };
    let calls = tokens
        .windows(2)
        .any(|pair| pair[1].text == "(" && pair[0].text.starts_with(|c: char| c.is_alphabetic() || c == '"'));
    let stable = ["now()", "CURRENT_TIMESTAMP", "transaction_timestamp()"].iter().any(|s| default.starts_with(s));
    let cast_only = default.starts_with('\'') && !default.contains("nextval");
    calls && !stable && !cast_only
}

fn rewriting(change: Change, rewrites: bool) -> Change {
    change.hazard_if(rewrites, Hazard::Rewrites, "the table is written anew").hazard_if(
        rewrites,
        Hazard::BlocksReads,
        "nobody can read or write it meanwhile",
    )
}

/// Sets a value in rows that exist. Row security must not hide rows from it: `row_security = off` turns
/// hidden rows into an error, and FORCE is lifted for the owner while it runs.
fn update(node: &Node, expression: &str, filter: &str, scope: &Scope) -> Vec<Change> {
    let (table, column) = (relation(&node.address), Ident(node.address.name()).to_string());
    let statement = Change::new(
        format!("UPDATE {table} SET {column} = ({expression}){filter}"),
        Lock::RowExclusive,
        &table_of(&node.address),
    )
    .data()
    .runs();
    let address = table_of(&node.address);
    let live = address.iter().any(|t| scope.has_rows(t));
    let mut statement = statement.hazard_if(live, Hazard::BlocksWrites, "every row is updated, in one statement");
    for name in trigger::fired_by_update(&node.address, scope) {
        let why = format!("trigger {name} fires for every row: it may refuse rows, and change what else is in them");
        statement = statement.hazard_if(live, Hazard::MayFailOnData, why);
    }
    // What it looks up is seen whole too.
    let read: Vec<Address> =
        node.needs.iter().filter(|n| n.kind() == "table" && !address.contains(n)).cloned().collect();
    row_security::lifted(&address, row_security::seen_whole(&read, statement, scope), scope)
}

fn set_not_null(node: &Node, spec: &ColumnSpec, scope: &Scope) -> Change {
    if spec.not_null_not_valid {
        return locked(format!("{} NOT VALID", add_not_null(node, spec)), node);
    }
    let live = table_of(&node.address).iter().any(|t| scope.has_rows(t));
    let sql = match &spec.not_null_name {
        Some(_) => add_not_null(node, spec),
        None => format!("{} SET NOT NULL", alter_column(node)),
    };
    locked(sql, node).hazard_if(live, Hazard::MayFailOnData, "rows without a value make it fail").hazard_if(
        live,
        Hazard::BlocksReads,
        "the table is scanned under the lock",
    )
}

/// NOT NULL as a constraint, from 18 on.
fn add_not_null(node: &Node, spec: &ColumnSpec) -> String {
    let (table, column) = (relation(&node.address), Ident(node.address.name()).to_string());
    format!("ALTER TABLE {table} ADD CONSTRAINT {} NOT NULL {column}", Ident(&not_null_constraint(node, spec)))
}

/// The name of its NOT NULL constraint.
fn not_null_constraint(node: &Node, spec: &ColumnSpec) -> String {
    let derived = || crate::sql::name::derive(&table_name(node), node.address.name(), "not_null", &|_| false);
    spec.not_null_name.clone().unwrap_or_else(derived)
}

/// Storage, statistics and, where there is no old column, NOT NULL that is not valid: these have statements of
/// their own.
pub fn settings(node: &Node, old: Option<&ColumnSpec>, new: &ColumnSpec) -> Vec<Change> {
    let mut changes = Vec::new();
    if old.is_none() && new.not_null_not_valid {
        changes.push(locked(format!("{} NOT VALID", add_not_null(node, new)), node));
    }
    let none = ColumnSpec::default();
    let old = old.unwrap_or(&none);
    if old.storage != new.storage {
        // DEFAULT exists from 16 on; before that the type's own storage is what nearly all types have.
        let storage = new.storage.as_deref().unwrap_or("extended").to_uppercase();
        changes.push(locked(format!("{} SET STORAGE {storage}", alter_column(node)), node));
    }
    if old.statistics != new.statistics {
        let target = new.statistics.unwrap_or(-1);
        changes.push(Change::new(
            format!("{} SET STATISTICS {target}", alter_column(node)),
            Lock::ShareUpdateExclusive,
            &table_of(&node.address),
        ));
    }
    changes
}

pub fn drop(node: &Node, scope: &Scope) -> Vec<Change> {
    let sql = format!("ALTER TABLE {} DROP COLUMN {}", relation(&node.address), Ident(node.address.name()));
    let generated = node.spec.read::<ColumnSpec>().is_ok_and(|s| s.generated.is_some());
    let live = table_of(&node.address).iter().any(|t| scope.actual.get(t).is_some());
    vec![locked(sql, node).hazard_if(live && !generated, Hazard::DataLoss, "its values are gone")]
}

/// Statements from the old to the new spec.
pub fn alter(node: &Node, old: &ColumnSpec, new: &ColumnSpec, scope: &Scope) -> Alter {
    let ColumnSpec {
        ty,
        not_null,
        not_null_name,
        not_null_not_valid,
        default,
        identity,
        generated,
        collation,
        storage: _,
        compression,
        statistics: _,
    } = new;
    if generated != &old.generated {
        return match (&old.generated, generated) {
            // DROP EXPRESSION keeps the values; all else computes them anew.
            (Some(Generated { is_virtual: false, .. }), None) => {
                let plain = ColumnSpec { generated: None, ..old.clone() };
                let mut changes = vec![locked(format!("{} DROP EXPRESSION", alter_column(node)), node)];
                match alter(node, &plain, new, scope) {
                    Alter::InPlace(more) => changes.extend(more),
                    other => return other,
                }
                Alter::InPlace(changes)
            }
            (Some(_), _) => Alter::Replace,
            (None, _) => Alter::Refuse(
                "a column with values of its own cannot become a generated one: add a new column instead".into(),
            ),
        };
    }
    // Its values are computed, so there is nothing to convert.
    if generated.is_some() && (*ty != old.ty || *collation != old.collation) {
        return Alter::Replace;
    }
    let mut changes = Vec::new();
    let live = table_of(&node.address).iter().any(|t| scope.has_rows(t));
    let retyped = *ty != old.ty || *collation != old.collation;
    let serial = serial_sequence(old.default.as_deref()).filter(|_| identity.is_some() && old.identity.is_none());
    let unserial = serial_sequence(default.as_deref()).filter(|_| identity.is_none() && old.identity.is_some());
    if let Some(sequence) = &serial {
        changes.extend(remember_position(sequence));
    }
    let drop_default = old.default.is_some() && (default.is_none() || retyped);
    if drop_default {
        changes.push(locked(format!("{} DROP DEFAULT", alter_column(node)), node));
    }
    if let Some(sequence) = &serial {
        changes.push(Change::new(format!("DROP SEQUENCE {sequence}"), Lock::AccessExclusive, &[]));
    }
    match (&old.identity, identity) {
        (Some(_), None) => {
            if unserial.is_some() {
                changes.extend(remember_position(&identity_sequence(node, old)));
            }
            changes.push(locked(format!("{} DROP IDENTITY", alter_column(node)), node));
        }
        (Some(a), Some(b)) if a != b => changes.extend(alter_identity(node, a, b)),
        _ => {}
    }
    if retyped {
        // Nothing is tested when a domain becomes what stands beneath it.
        let from = if cast::built_in(ty) { domain::base_of(&old.ty, scope.actual) } else { old.ty.clone() };
        let rewrites = live && (is_converted(node) || !cast::stays_as_it_is(&from, ty));
        let refuses = rewrites && !holds_all_values(node, old, new);
        let mut change = rewriting(retype(node, new, old, scope), rewrites).hazard_if(
            refuses,
            Hazard::MayFailOnData,
            "values that the new type refuses make it fail",
        );
        if live && *collation != old.collation {
            let indexes: Vec<&Node> = indexes_over(&node.address, scope.actual).collect();
            let is_key = indexes.iter().any(|index| kind_of(&index.address).bond(index).is_some());
            change = change
                .hazard_if(
                    !rewrites && !indexes.is_empty(),
                    Hazard::BlocksReads,
                    "indexes over it are built anew, and nobody can read or write the table meanwhile",
                )
                .hazard_if(
                    !refuses && is_key,
                    Hazard::MayFailOnData,
                    "values that the new collation takes for equal make it fail",
                );
        }
        let partners = foreign_key::partners(&node.address, scope);
        change.on.extend(partners.iter().cloned());
        let tested = if partners.is_empty() { Vec::new() } else { change.on.clone() };
        changes.extend(row_security::seen_whole(&tested, change, scope));
    }
    if let Some(sequence) = &unserial {
        let column = format!("{}.{}", relation(&node.address), Ident(node.address.name()));
        let wanted = sequence_node(sequence, scope.desired);
        let declared = wanted.and_then(|n| n.spec.read::<SequenceSpec>().ok());
        let kind = declared.as_ref().map_or(ty.as_str(), SequenceSpec::type_name);
        let as_type = if kind == "bigint" { String::new() } else { format!(" AS {kind}") };
        let make = |sql: String| Change::new(sql, Lock::None, &[]);
        let options = declared.map(|spec| spec.options).filter(|options| !options.is_empty());
        let options = options.map(|options| format!(" {options}")).unwrap_or_default();
        changes.push(make(format!("CREATE SEQUENCE {sequence}{as_type}{options}")));
        // PostgreSQL wants the owner of the table to own it.
        let table = table_of(&node.address);
        let owner_in = |model: &Model| table.iter().find_map(|t| model.get(t)?.owner.clone());
        let owner = owner_in(scope.desired).or_else(|| owner_in(scope.actual));
        let creator = (scope.default_grants)('-', node.address.schema()).creator;
        if let Some(owner) = owner.filter(|owner| **owner != *creator) {
            changes.push(make(format!("ALTER SEQUENCE {sequence} OWNER TO {}", Ident(&owner))));
        }
        changes.push(make(format!("ALTER SEQUENCE {sequence} OWNED BY {column}")));
        if let Some(node) = wanted {
            let owned = Node { owner: None, ..node.clone() };
            changes.extend(facet::create(&Sequence, &owned, scope));
        }
        changes.push(restore_position(sequence));
    }
    if let Some(text) = default {
        if default != &old.default || drop_default {
            changes.push(locked(format!("{} SET DEFAULT {text}", alter_column(node)), node));
        }
    }
    if *not_null && !old.not_null {
        if let Some(expression) = node.hints.as_ref().and_then(|h| h.backfill.as_deref()) {
            let filter = format!(" WHERE {} IS NULL", Ident(node.address.name()));
            changes.extend(update(node, expression, &filter, scope));
        }
        changes.push(set_not_null(node, new, scope));
    } else if !not_null && old.not_null {
        changes.push(locked(format!("{} DROP NOT NULL", alter_column(node)), node));
    } else if *not_null && *not_null_not_valid && !old.not_null_not_valid {
        changes.push(locked(format!("{} DROP NOT NULL", alter_column(node)), node));
        changes.push(set_not_null(node, new, scope));
    } else if *not_null {
        let table = relation(&node.address);
        let to = Ident(&not_null_constraint(node, new)).to_string();
        if not_null_name != &old.not_null_name {
            let from = not_null_constraint(node, old);
            changes.push(locked(format!("ALTER TABLE {table} RENAME CONSTRAINT {} TO {to}", Ident(&from)), node));
        }
        if old.not_null_not_valid && !not_null_not_valid {
            let sql = format!("ALTER TABLE {table} VALIDATE CONSTRAINT {to}");
            changes.push(
                Change::new(sql, Lock::ShareUpdateExclusive, &table_of(&node.address))
                    .hazard_if(live, Hazard::MayFailOnData, "rows without a value make it fail")
                    .deferred(),
            );
        }
    }
    if let (None, Some(identity)) = (&old.identity, identity) {
        changes.push(locked(format!("{} ADD {}", alter_column(node), identity.clause()), node));
        if serial.is_some() {
            changes.push(restore_position(&identity_sequence(node, new)));
        } else {
            changes.push(start_after_rows(node, new));
        }
    }
    // A new type brings its own storage and forgets the compression method.
    let reset = ColumnSpec { storage: None, compression: None, ..old.clone() };
    let old = if retyped { &reset } else { old };
    if compression != &old.compression {
        let method = compression.as_deref().unwrap_or("DEFAULT");
        changes.push(locked(format!("{} SET COMPRESSION {method}", alter_column(node)), node));
    }
    changes.extend(settings(node, Some(old), new));
    if retyped {
        Alter::Rebuild(changes)
    } else {
        Alter::InPlace(changes)
    }
}

/// The live indexes and keys that a column is part of.
fn indexes_over<'a>(column: &'a Address, actual: &'a Model) -> impl Iterator<Item = &'a Node> {
    let siblings = column.parent().map(|table| actual.children(&table)).into_iter().flatten();
    let is_index = |node: &&Node| matches!(node.address.kind(), "index" | "unique" | "primary key" | "exclusion");
    siblings.filter(is_index).filter(|node| node.needs.contains(column))
}

/// The statement that changes type or collation, with what it does to values.
fn retype(node: &Node, new: &ColumnSpec, old: &ColumnSpec, scope: &Scope) -> Change {
    let column = Ident(node.address.name()).to_string();
    let collation = new.collation.as_ref().map(|c| format!(" COLLATE {c}")).unwrap_or_default();
    let kept = table_of(&node.address).iter().any(|table| scope.actual.get(table).is_some());
    let convert = node.hints.as_ref().and_then(|h| h.convert.as_deref());
    let (from, to) = (domain::base_of(&old.ty, scope.actual), domain::base_of(&new.ty, scope.desired));
    let using = match convert {
        Some(expression) => format!(" USING ({expression})"),
        None => cast::using(&column, (&old.ty, &from), (&new.ty, &to)),
    };
    let mut change = locked(format!("{} TYPE {}{collation}{using}", alter_column(node), new.ty), node).retypes();
    for why in cast::losses(&from, &to).filter(|_| kept && convert.is_none()) {
        change = change.hazard(Hazard::DataLoss, why);
    }
    if kept && convert.is_some() {
        change = change.one_way("what `convert` made of the old values does not turn into them again");
    }
    change
}

/// Whether a type change keeps each value, so that no row can make it fail: a wider integer. Not so
/// `numeric`, which divides in another way: checks and unique expressions over it may give other results.
fn holds_all_values(node: &Node, old: &ColumnSpec, new: &ColumnSpec) -> bool {
    !is_converted(node) && cast::wider_integer(&old.ty, &new.ty)
}

/// Whether an expression turns old values into new ones.
fn is_converted(node: &Node) -> bool {
    node.hints.as_ref().is_some_and(|h| h.convert.is_some())
}

fn table_name(node: &Node) -> String {
    node.address.parent().map_or_else(String::new, |t| t.name().to_owned())
}

/// The sequence in a default of the form that `serial` makes.
fn serial_sequence(default: Option<&str>) -> Option<String> {
    let inner = default?.strip_prefix("nextval('")?.strip_suffix("'::regclass)")?;
    Some(inner.replace("''", "'"))
}

/// The sequence of a qualified name.
fn sequence_node<'a>(name: &str, model: &'a Model) -> Option<&'a Node> {
    let (schema, name) = crate::sql::name::split(name)?;
    model.get(&Address::root("schema", &schema?).child("sequence", &name))
}

/// The sequence behind an identity, by its qualified name.
pub fn identity_sequence(node: &Node, spec: &ColumnSpec) -> String {
    let derived = crate::sql::name::derive(&table_name(node), node.address.name(), "seq", &|_| false);
    let name = spec.identity.as_ref().and_then(|i| i.sequence.clone()).unwrap_or(derived);
    crate::sql::qualified(node.address.schema(), &name)
}

/// The next value of a sequence, kept for the rest of the transaction.
fn remember_position(sequence: &str) -> Vec<Change> {
    let next = "(last_value + case when is_called then seqincrement else 0 end)::text";
    let its = format!("{sequence}, pg_catalog.pg_sequence WHERE seqrelid = {}::regclass", literal(sequence));
    let sql = format!("SELECT set_config('pgplumb.next', (SELECT {next} FROM {its}), true)");
    vec![Change::new(sql, Lock::None, &[])]
}

fn restore_position(sequence: &str) -> Change {
    let sql = format!("SELECT setval({}, current_setting('pgplumb.next')::bigint, false)", literal(sequence));
    Change::new(sql, Lock::None, &[])
}

/// A new identity starts behind the values that rows have already.
fn start_after_rows(node: &Node, spec: &ColumnSpec) -> Change {
    let (table, column) = (relation(&node.address), Ident(node.address.name()).to_string());
    let sequence = literal(&identity_sequence(node, spec));
    let sql = format!("SELECT setval({sequence}, max({column}), true) FROM {table} HAVING max({column}) IS NOT NULL");
    Change::new(sql, Lock::AccessShare, &table_of(&node.address)).data()
}

fn alter_identity(node: &Node, old: &Identity, new: &Identity) -> Vec<Change> {
    let Identity { always, options, sequence } = new;
    let mut changes = Vec::new();
    if *always != old.always {
        let when = if *always { "ALWAYS" } else { "BY DEFAULT" };
        changes.push(locked(format!("{} SET GENERATED {when}", alter_column(node)), node));
    }
    let spec = |identity: &Identity| ColumnSpec { identity: Some(identity.clone()), ..ColumnSpec::default() };
    if *sequence != old.sequence {
        let to = crate::sql::name::derive(&table_name(node), node.address.name(), "seq", &|_| false);
        let to = sequence.clone().unwrap_or(to);
        let sql = format!("ALTER SEQUENCE {} RENAME TO {}", identity_sequence(node, &spec(old)), Ident(&to));
        changes.push(Change::new(sql, Lock::AccessExclusive, &[]));
    }
    if *options != old.options {
        let name = identity_sequence(node, &spec(new));
        let sql = format!("ALTER SEQUENCE {name} {}", crate::kinds::sequence::reset(options));
        changes.push(Change::new(sql, Lock::ShareRowExclusive, &[]));
    }
    changes
}

/// What becomes of a live column when something it uses changes under it.
pub fn rebind(node: &Node, spec: &ColumnSpec, below: &Address, cause: Cause, scope: &Scope) -> Rebind {
    match (cause, below.kind()) {
        (Cause::Rebuilt, "column") if spec.generated.is_some() => Rebind::Replace,
        (Cause::Rebuilt, _) => Rebind::Keep,
        (Cause::Swapped, _) if spec.generated.is_some() => Rebind::Replace,
        (Cause::Swapped, _) => {
            // The desired column takes over; where it has a real change of its own this is not asked.
            let wanted = scope.node(&node.address).and_then(|n| n.spec.read::<ColumnSpec>().ok());
            let wanted = wanted.unwrap_or_else(|| spec.clone());
            Rebind::Move(move_over(node, spec, &wanted, below, scope))
        }
        (Cause::Replaced, _) if spec.generated.is_some() => Rebind::Replace,
        (Cause::Replaced, _) if spec.default.is_some() => {
            let wanted = scope.node(&node.address).and_then(|n| n.spec.read::<ColumnSpec>().ok());
            let default = wanted.unwrap_or_else(|| spec.clone()).default;
            let set = |default| locked(format!("{} SET DEFAULT {default}", alter_column(node)), node);
            Rebind::Lift {
                before: vec![locked(format!("{} DROP DEFAULT", alter_column(node)), node)],
                after: default.into_iter().map(set).collect(),
            }
        }
        (Cause::Replaced, _) => Rebind::Replace,
    }
}

/// Moves a column from an old type that was moved aside to the new one of the same name.
fn move_over(node: &Node, old: &ColumnSpec, new: &ColumnSpec, below: &Address, scope: &Scope) -> Vec<Change> {
    let column = Ident(node.address.name()).to_string();
    let live = table_of(&node.address).iter().any(|t| scope.has_rows(t));
    let from = domain::base_of(&old.ty, scope.actual);
    let to = domain::base_of(&new.ty, scope.desired);
    let array = to.ends_with("[]");
    let rewrites = live && (array || !domain::keeps_values(below, scope));
    let ends = scope.actual.get(below).zip(scope.desired.get(below));
    let labels = ends.map(|(old, new)| enumeration::mapping(old, new)).unwrap_or_default();
    let using = if below.kind() == "domain" {
        cast::using(&column, (&old.ty, &from), (&new.ty, &to))
    } else if array {
        let mut text = format!("{column}::text[]");
        for (from, to) in &labels {
            text = format!("array_replace({text}, {}, {})", literal(from), literal(to));
        }
        format!(" USING (({text})::{})", new.ty)
    } else if labels.is_empty() {
        format!(" USING ({column}::text::{})", new.ty)
    } else {
        let whens: String = labels.iter().map(|(a, b)| format!(" WHEN {} THEN {}", literal(a), literal(b))).collect();
        format!(" USING ((CASE {column}::text{whens} ELSE {column}::text END)::{})", new.ty)
    };
    let mut changes = Vec::new();
    if old.default.is_some() {
        changes.push(locked(format!("{} DROP DEFAULT", alter_column(node)), node));
    }
    let mut moved =
        rewriting(locked(format!("{} TYPE {}{using}", alter_column(node), new.ty), node), rewrites).retypes();
    moved = moved.hazard_if(live, Hazard::MayFailOnData, "values that the new type refuses make it fail");
    for why in cast::losses(&from, &to) {
        moved = moved.hazard(Hazard::DataLoss, why);
    }
    changes.push(moved);
    if let Some(default) = &new.default {
        changes.push(locked(format!("{} SET DEFAULT {default}", alter_column(node)), node));
    }
    changes
}

/// Rows that would be refused.
pub fn preflight(node: &Node, old: Option<&ColumnSpec>, new: &ColumnSpec, scope: &Scope) -> Vec<Question> {
    let table = relation(&node.address);
    let column = Ident(node.address.name()).to_string();
    let filled = node.hints.as_ref().is_some_and(|h| h.backfill.is_some());
    let key = crate::kinds::relation::row_key(&node.address, scope);
    let ask = |condition: &str| {
        format!("SELECT count(*), (array_agg({key} ORDER BY {key}))[1:3] FROM {table} WHERE {condition}")
    };
    let mut questions = Vec::new();
    match old {
        None => {
            // A domain may bring a default.
            let given = domain::beneath(node, &new.ty, scope).iter().any(|d| d.default.is_some());
            let empty = !given && new.default.is_none() && new.identity.is_none() && new.generated.is_none();
            if new.not_null && !new.not_null_not_valid && empty && !filled {
                let refused = "exist already and would have no value: declare a `backfill` or a default".into();
                questions.push(Question { sql: ask("true"), refused });
            }
        }
        Some(old) => {
            let tested = old.not_null && !old.not_null_not_valid;
            if new.not_null && !new.not_null_not_valid && !tested && !filled {
                let refused = format!("have no value in {column}: declare a `backfill`");
                questions.push(Question { sql: ask(&format!("{column} IS NULL")), refused });
            }
            let converted = node.hints.as_ref().is_some_and(|h| h.convert.is_some());
            if holds_all_values(node, old, new) {
                return questions;
            }
            // What is made to fit is not refused.
            let refused = cast::refuses_by_input(&domain::base_of(&old.ty, scope.actual), &new.ty);
            if new.ty != old.ty && !converted && scope.major >= 16 && cast::built_in(&new.ty) && refused {
                let condition = format!("NOT pg_input_is_valid({column}::text, {})", literal(&new.ty));
                let refused = format!("hold a value in {column} that {} refuses: declare a `convert`", new.ty);
                questions.push(Question { sql: ask(&condition), refused });
            } else if let Some(values) = enum_values(&new.ty, scope).filter(|_| new.ty != old.ty && !converted) {
                let list = values.iter().map(|v| literal(v)).collect::<Vec<_>>().join(", ");
                let condition = format!("{column}::text <> ALL (ARRAY[{list}]::text[])");
                let refused = format!("hold a value in {column} that is no label of {}: declare a `convert`", new.ty);
                questions.push(Question { sql: ask(&condition), refused });
            }
        }
    }
    questions
}

/// The labels of the desired enum that a type's text names.
fn enum_values(ty: &str, scope: &Scope) -> Option<Vec<String>> {
    let (schema, name) = crate::sql::name::split(ty)?;
    let address = Address::root("schema", &schema?).child("enum", &name);
    let spec: serde_json::Value = scope.desired.get(&address)?.spec.read().ok()?;
    Some(spec.get("values")?.as_array()?.iter().filter_map(|v| Some(v.as_str()?.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::{may_be_volatile, serial_sequence};

    #[test]
    fn defaults_are_understood() {
        assert!(may_be_volatile("gen_random_uuid()") && !may_be_volatile("now()") && !may_be_volatile("'{}'::jsonb"));
        assert_eq!(serial_sequence(Some("nextval('public.t_id_seq'::regclass)")).as_deref(), Some("public.t_id_seq"));
    }
}
