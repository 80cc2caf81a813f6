//! Tables as SQL: first the table with what is its own, later what refers to others.

use super::schema::*;
use super::write::{comment, facets};

pub fn create(out: &mut Vec<String>, table: &Table, major: u32) {
    let name = table.name.sql();
    let mut parts: Vec<String> = table.columns.iter().map(|one| column(one, major)).collect();
    parts.extend(table.primary_key.iter().map(|key| unique_key(key, "primary key")));
    // CREATE TABLE would make one of two equal keys.
    let again = |at: usize| {
        let earlier = table.primary_key.iter().chain(&table.uniques[..at]);
        earlier.into_iter().any(|key| key.columns == table.uniques[at].columns)
    };
    let (late, early): (Vec<usize>, Vec<usize>) = (0..table.uniques.len()).partition(|at| again(*at));
    parts.extend(early.iter().map(|at| unique_key(&table.uniques[*at], "unique")));
    for check in table.checks.iter().filter(|check| !check.not_valid) {
        parts.push(check_clause(check));
    }
    for one in &table.exclusions {
        let predicate = one.predicate.as_ref().map(|expr| format!(" where ({})", expr.sql)).unwrap_or_default();
        parts.push(format!(
            "constraint {} exclude using gist ({} with &&){predicate}{}",
            quote(&one.name),
            quote(&one.column),
            deferral(one.deferral)
        ));
    }
    let unlogged = if table.unlogged { "unlogged " } else { "" };
    let with: Vec<String> = table.with.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    let with = if with.is_empty() { String::new() } else { format!(" with ({})", with.join(", ")) };
    out.push(format!("create {unlogged}table {name} (\n  {}\n){with}", parts.join(",\n  ")));

    for at in late {
        out.push(format!("alter table {name} add {}", unique_key(&table.uniques[at], "unique")));
    }
    for one in &table.columns {
        if let (Some(storage), true) = (one.storage, major < 16) {
            out.push(format!("alter table {name} alter {} set storage {storage}", quote(&one.name)));
        }
        if let Some(method) = one.compression {
            out.push(format!("alter table {name} alter {} set compression {method}", quote(&one.name)));
        }
        if let Some(target) = one.statistics {
            out.push(format!("alter table {name} alter {} set statistics {target}", quote(&one.name)));
        }
        comment(out, &format!("column {name}.{}", quote(&one.name)), &one.comment);
    }
    for check in table.checks.iter().filter(|check| check.not_valid) {
        out.push(format!("alter table {name} add {} not valid", check_clause(check)));
    }
    if let Some(identity) = table.replica_identity {
        out.push(format!("alter table {name} replica identity {identity}"));
    }
    constraint_comments(out, table);
}

fn column(one: &Column, major: u32) -> String {
    let kind = match (&one.kind, one.serial) {
        (Type::BigInt, true) => "bigserial".into(),
        (Type::SmallInt, true) => "smallserial".into(),
        (_, true) => "serial".into(),
        (kind, false) => kind.sql(),
    };
    let mut sql = format!("{} {kind}", quote(&one.name));
    if let (Some(storage), true) = (one.storage, major >= 16) {
        sql += &format!(" storage {storage}");
    }
    if let Some(collation) = one.collation {
        sql += &format!(" collate {}", quote(collation));
    }
    if one.not_null {
        sql += " not null";
    }
    if let Some(default) = &one.default {
        sql += &format!(" default {}", default.sql);
    }
    if let Some(Identity { always, start, increment }) = &one.identity {
        let when = if *always { "always" } else { "by default" };
        sql += &format!(" generated {when} as identity (start {start} increment {increment})");
    }
    if let Some(generated) = &one.generated {
        sql += &format!(" generated always as ({}) stored", generated.sql);
    }
    sql
}

fn deferral(one: Deferral) -> &'static str {
    match one {
        Deferral::No => "",
        Deferral::Deferrable => " deferrable",
        Deferral::Initially => " deferrable initially deferred",
    }
}

fn named(name: &Option<String>) -> String {
    name.as_ref().map(|name| format!("constraint {} ", quote(name))).unwrap_or_default()
}

fn include(columns: &[String]) -> String {
    if columns.is_empty() {
        return String::new();
    }
    format!(" include ({})", list(columns))
}

fn unique_key(key: &UniqueKey, word: &str) -> String {
    let nulls = if key.nulls_not_distinct { " nulls not distinct" } else { "" };
    format!(
        "{}{word}{nulls} ({}){}{}",
        named(&key.name),
        list(&key.columns),
        include(&key.include),
        deferral(key.deferral)
    )
}

fn check_clause(check: &Check) -> String {
    let no_inherit = if check.no_inherit { " no inherit" } else { "" };
    format!("{}check ({}){no_inherit}", named(&check.name), check.condition.sql)
}

fn constraint_comments(out: &mut Vec<String>, table: &Table) {
    let of_keys = table.keys().map(|key| (&key.name, &key.comment));
    let of_checks = table.checks.iter().map(|check| (&check.name, &check.comment));
    for (name, text) in of_keys.chain(of_checks) {
        if let Some(name) = name {
            comment(out, &format!("constraint {} on {}", quote(name), table.name.sql()), text);
        }
    }
}

/// What may refer to other tables and functions, and what must come last.
pub fn finish(out: &mut Vec<String>, table: &Table) {
    let name = table.name.sql();
    table.foreign_keys.iter().for_each(|key| foreign_key(out, &name, key));
    table.indexes.iter().for_each(|one| index(out, &table.name, one));
    match table.row_security {
        RowSecurity::Off => {}
        RowSecurity::Enabled => out.push(format!("alter table {name} enable row level security")),
        RowSecurity::Forced => {
            out.push(format!("alter table {name} enable row level security, force row level security"));
        }
    }
    table.policies.iter().for_each(|one| policy(out, &name, one));
    table.triggers.iter().for_each(|one| trigger(out, &name, one));
    facets(out, &format!("table {name}"), &name, &table.facets);
}

fn foreign_key(out: &mut Vec<String>, table: &str, key: &ForeignKey) {
    let mut sql = format!(
        "alter table {table} add {}foreign key ({}) references {} ({})",
        named(&key.name),
        list(&key.columns),
        key.references.sql(),
        list(&key.referenced)
    );
    if key.match_full {
        sql += " match full";
    }
    let set = if key.set_columns.is_empty() { String::new() } else { format!(" ({})", list(&key.set_columns)) };
    sql += &format!(" on delete {}{set} on update {}{}", key.on_delete, key.on_update, deferral(key.deferral));
    if key.not_valid {
        sql += " not valid";
    }
    out.push(sql);
    if let Some(name) = &key.name {
        comment(out, &format!("constraint {} on {table}", quote(name)), &key.comment);
    }
}

pub fn index(out: &mut Vec<String>, on: &Name, one: &Index) {
    let unique = if one.unique { "unique " } else { "" };
    let keys: Vec<&str> = one.keys.iter().map(|key| key.sql.as_str()).collect();
    let mut sql = format!(
        "create {unique}index {} on {} using {} ({}){}",
        quote(&one.name),
        on.sql(),
        one.using,
        keys.join(", "),
        include(&one.include)
    );
    if one.nulls_not_distinct {
        sql += " nulls not distinct";
    }
    if let Some((parameter, value)) = one.with {
        sql += &format!(" with ({parameter} = {value})");
    }
    if let Some(predicate) = &one.predicate {
        sql += &format!(" where {}", predicate.sql);
    }
    out.push(sql);
    let name = Name { schema: on.schema.clone(), name: one.name.clone() };
    comment(out, &format!("index {}", name.sql()), &one.comment);
}

fn policy(out: &mut Vec<String>, table: &str, one: &Policy) {
    let kind = if one.restrictive { "restrictive" } else { "permissive" };
    let roles = if one.roles.is_empty() { "public".into() } else { list(&one.roles) };
    let mut sql = format!("create policy {} on {table} as {kind} for {} to {roles}", quote(&one.name), one.command);
    if let Some(using) = &one.using {
        sql += &format!(" using ({})", using.sql);
    }
    if let Some(check) = &one.check {
        sql += &format!(" with check ({})", check.sql);
    }
    out.push(sql);
    comment(out, &format!("policy {} on {table}", quote(&one.name)), &one.comment);
}

fn trigger(out: &mut Vec<String>, table: &str, one: &Trigger) {
    let name = quote(&one.name);
    let events: Vec<String> = one
        .events
        .iter()
        .map(|event| match (*event, one.update_of.as_slice()) {
            ("update", columns) if !columns.is_empty() => format!("update of {}", list(columns)),
            (event, _) => event.to_string(),
        })
        .collect();
    let word = if one.constraint.is_some() { "constraint trigger" } else { "trigger" };
    let mut sql = format!("create {word} {name} {} {} on {table}", one.timing, events.join(" or "));
    sql += deferral(one.constraint.unwrap_or(Deferral::No));
    if one.transition {
        sql += match one.events[0] {
            "insert" => " referencing new table as new_rows",
            "delete" => " referencing old table as old_rows",
            _ => " referencing old table as old_rows new table as new_rows",
        };
    }
    sql += if one.row { " for each row" } else { " for each statement" };
    if let Some(when) = &one.when {
        sql += &format!(" when ({})", when.sql);
    }
    let function = one.function.strip_suffix("()").unwrap_or(&one.function);
    let arguments: Vec<String> = one.arguments.iter().map(|one| literal(one)).collect();
    sql += &format!(" execute function {function}({})", arguments.join(", "));
    out.push(sql);
    if !one.enabled.is_empty() {
        out.push(format!("alter table {table} {} trigger {name}", one.enabled));
    }
    comment(out, &format!("trigger {name} on {table}"), &one.comment);
}
