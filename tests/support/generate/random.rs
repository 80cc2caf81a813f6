//! New things: names, types, columns, tables, and a whole schema.

use super::acting;
use super::expression::{any_default, number, safe_default};
use super::keyed;
use super::schema::*;
use super::{repair, Rng, ROLES};

/// A schema for servers of a major, of about `size` tables.
pub fn random(rng: &mut Rng, major: u32, size: usize) -> Schema {
    let mut schema = Schema { major, ..Schema::default() };
    schema.schemas.push(Namespace { name: "public".into(), facets: Facets::default() });
    for name in ["app", "Odd \"Schema\""].iter().take(rng.below(3)) {
        let mut facets = facets(rng, &["usage", "create"], "namespace");
        facets.owner = None;
        schema.schemas.push(Namespace { name: (*name).into(), facets });
    }
    schema.extension = rng.chance(40).then(|| extension(major));
    for _ in 0..rng.below(size / 2 + 2) {
        let new = enumeration(&mut schema, rng);
        schema.enums.push(new);
    }
    for _ in 0..rng.below(size / 3 + 2) {
        let new = domain(&mut schema, rng);
        schema.domains.push(new);
    }
    for _ in 0..rng.below(size / 2 + 2) {
        let new = sequence(&mut schema, rng);
        schema.sequences.push(new);
    }
    for _ in 0..1 + rng.below(size) {
        let new = acting::early_function(&mut schema, rng);
        schema.functions.extend(new);
    }
    for _ in 0..size {
        let new = table(&mut schema, rng, false);
        schema.tables.push(new);
    }
    for _ in 0..rng.below(size + 2) {
        let new = acting::late_function(&mut schema, rng);
        schema.functions.extend(new);
    }
    for _ in 0..rng.below(size + 2) {
        if let Some(new) = acting::view(&mut schema, rng) {
            schema.views.push(new);
        }
    }
    for at in 0..schema.tables.len() {
        furnish(&mut schema, rng, at);
    }
    for _ in 0..rng.below(3) {
        own_sequence(&mut schema, rng);
    }
    repair::repair(&mut schema);
    schema
}

/// One that the servers of a major have.
pub fn extension(major: u32) -> &'static str {
    if matches!(major, 16 | 18) {
        "vector"
    } else {
        "citext"
    }
}

/// Gives a table what refers to other things.
pub fn furnish(schema: &mut Schema, rng: &mut Rng, at: usize) {
    for _ in 0..rng.below(3) {
        let new = keyed::foreign_key(schema, rng, at);
        schema.tables[at].foreign_keys.extend(new);
    }
    for _ in 0..rng.below(4) {
        let new = keyed::index(schema, rng, at);
        schema.tables[at].indexes.extend(new);
    }
    if rng.chance(50) {
        schema.tables[at].row_security = *rng.pick(&[RowSecurity::Enabled, RowSecurity::Forced]);
    }
    if rng.chance(50) {
        for _ in 0..1 + rng.below(3) {
            let new = acting::policy(schema, rng, at);
            schema.tables[at].policies.extend(new);
        }
    }
    for _ in 0..rng.below(5).saturating_sub(2) {
        let new = acting::trigger(schema, rng, at);
        schema.tables[at].triggers.extend(new);
    }
}

/// A name that was never given before; one in four is odd.
pub fn name(schema: &mut Schema, rng: &mut Rng, stem: &str) -> String {
    let n = schema.used.len();
    let keywords =
        ["user", "order", "select", "table", "null", "true", "no", "1.10", "~", "desc", "group", "- a", "on"];
    let new = match rng.below(56) {
        0 => format!("{} {n}", stem.to_uppercase()),
        1 => format!("{stem}\"q\"{n}"),
        2 => format!("größe_{n}"),
        3 => format!("表{n}"),
        4 => format!("{n}{stem}"),
        5 => format!("{stem}.{n}"),
        6 => format!("{stem}: {n}"),
        7 => format!("#{stem}{n}"),
        8 => format!("{stem}'s{n}"),
        9 => format!("${{{stem}}}{n}"),
        10 => format!("n{n}_{}", format!("{stem}_is_long_").repeat(8).chars().take(50).collect::<String>()),
        11 => format!("{stem}\\{n}"),
        12..=13 => format!("{}{stem}{n}", stem.to_uppercase()),
        14..=15 => rng.pick(&keywords).to_string(),
        _ => format!("{stem}{n}"),
    };
    if schema.used.insert(new.clone()) {
        return new;
    }
    let plain = format!("{stem}_{n}");
    schema.used.insert(plain.clone());
    plain
}

pub fn qualified(schema: &mut Schema, rng: &mut Rng, stem: &str) -> Name {
    let at = rng.pick(&schema.schemas).name.clone();
    Name { schema: at, name: name(schema, rng, stem) }
}

pub fn comment(rng: &mut Rng) -> Option<String> {
    let texts =
        ["Plain.", "it's: a #comment", "two\nlines", "  \"quoted\" \\ ünï", "{a: b}", "null", "- [x]", "%s ${table}"];
    rng.chance(20).then(|| rng.pick(&texts).to_string())
}

/// Owner, comment and grants; `what` decides about columns and PUBLIC.
pub fn facets(rng: &mut Rng, privileges: &[&'static str], what: &str) -> Facets {
    let mut facets = Facets {
        owner: rng.chance(12).then(|| rng.pick(&ROLES).to_string()),
        comment: comment(rng),
        grants: Vec::new(),
        private: matches!(what, "function" | "type") && rng.chance(25),
    };
    for _ in 0..rng.below(6).saturating_sub(3) {
        facets.grants.push(grant(rng, privileges));
    }
    facets
}

pub fn grant(rng: &mut Rng, privileges: &[&'static str]) -> Grant {
    let role = if rng.chance(15) { "public" } else { *rng.pick(&ROLES) };
    Grant {
        role: role.into(),
        privileges: rng.some_of(privileges, 3),
        columns: Vec::new(),
        grant_option: role != "public" && rng.chance(20),
    }
}

pub const TABLE_PRIVILEGES: [&str; 7] = ["select", "insert", "update", "delete", "truncate", "references", "trigger"];

pub fn enumeration(schema: &mut Schema, rng: &mut Rng) -> Enum {
    let mut labels: Vec<String> = Vec::new();
    for _ in 0..1 + rng.below(5) {
        labels.push(label(rng, &labels));
    }
    let held = rng.pick(&labels).clone();
    Enum {
        name: qualified(schema, rng, "enum"),
        labels,
        held,
        renamed: Vec::new(),
        facets: facets(rng, &["usage"], "type"),
    }
}

pub fn label(rng: &mut Rng, taken: &[String]) -> String {
    let words = ["draft", "In Progress", "it's", "yes", "null", "x: y", "done", "größer", "1.0", "#", "a,b", "\"q\""];
    let word = *rng.pick(&words);
    if taken.iter().any(|label| label == word) {
        return format!("{word}{}", rng.below(1_000_000));
    }
    word.into()
}

pub fn domain(schema: &mut Schema, rng: &mut Rng) -> Domain {
    let base = rng.pick(&[Type::Text, Type::Int, Type::Varchar(40), Type::Numeric(12, 2), Type::Jsonb]).clone();
    let default = rng.chance(30).then(|| super::expression::value(schema, &base, 1));
    let collation = (base.family() == Family::Text && rng.chance(20)).then_some("C");
    let mut new = Domain {
        name: qualified(schema, rng, "domain"),
        base,
        default,
        not_null: rng.chance(15),
        checks: Vec::new(),
        collation,
        facets: facets(rng, &["usage"], "type"),
    };
    for _ in 0..rng.below(3) {
        let check = domain_check(schema, rng, &new);
        new.checks.push(check);
    }
    new
}

pub fn domain_check(schema: &mut Schema, rng: &mut Rng, domain: &Domain) -> (String, String) {
    let base = domain.base.clone();
    // Without functions: domains come before them.
    let bare = Schema::default();
    (name(schema, rng, "holds"), super::expression::on(&bare, rng, "value", &base).sql)
}

pub fn sequence(schema: &mut Schema, rng: &mut Rng) -> Sequence {
    Sequence {
        name: qualified(schema, rng, "seq"),
        kind: rng.word(&["bigint", "bigint", "integer", "smallint"]),
        start: 1 + rng.below(3) as i64 * 50,
        increment: *rng.pick(&[1, 1, 10]),
        max: rng.chance(25).then_some(30_000),
        cache: *rng.pick(&[1, 1, 20]),
        cycle: rng.chance(15),
        owned_by: None,
        facets: facets(rng, &["usage", "select", "update"], "sequence"),
    }
}

/// Lets a column own a sequence of its schema.
pub fn own_sequence(schema: &mut Schema, rng: &mut Rng) -> bool {
    let free: Vec<usize> = (0..schema.sequences.len()).filter(|at| schema.sequences[*at].owned_by.is_none()).collect();
    if free.is_empty() {
        return false;
    }
    let at = *rng.pick(&free);
    let home = schema.sequences[at].name.schema.clone();
    let Some(table) = rng.pick_where(&schema.tables, |table| table.name.schema == home && !table.columns.is_empty())
    else {
        return false;
    };
    let owner = table.facets.owner.clone();
    let owned_by = (table.name.clone(), rng.pick(&table.columns).name.clone());
    schema.sequences[at].facets.owner = owner;
    schema.sequences[at].owned_by = Some(owned_by);
    true
}

/// Any type that a column may have.
pub fn kind(schema: &Schema, rng: &mut Rng) -> Type {
    let plain = [
        Type::SmallInt,
        Type::Int,
        Type::Int,
        Type::BigInt,
        Type::Numeric(10, 2),
        Type::Double,
        Type::Text,
        Type::Text,
        Type::Varchar(20),
        Type::Varchar(255),
        Type::Bool,
        Type::Uuid,
        Type::Date,
        Type::Timestamptz,
        Type::Interval,
        Type::Jsonb,
        Type::Bytea,
        Type::Int4Range,
    ];
    match rng.below(10) {
        9 => match schema.extension {
            Some("vector") => Type::Vector,
            Some(_) => Type::Citext,
            None => rng.pick(&plain).clone(),
        },
        0..=1 if !schema.enums.is_empty() => Type::Enum(rng.pick(&schema.enums).name.clone()),
        2 if !schema.domains.is_empty() => Type::Domain(rng.pick(&schema.domains).name.clone()),
        3 if !schema.enums.is_empty() && rng.chance(40) => {
            Type::Array(Box::new(Type::Enum(rng.pick(&schema.enums).name.clone())))
        }
        3 => Type::Array(Box::new(rng.pick(&plain).clone())),
        _ => rng.pick(&plain).clone(),
    }
}

/// A column as a table is made with.
pub fn column(schema: &mut Schema, rng: &mut Rng, kind: Type) -> Column {
    let domain = matches!(kind, Type::Domain(_));
    let not_null = rng.chance(40);
    let mut new = bare_column(name(schema, rng, "c"), kind);
    new.not_null = not_null;
    new.nulls = !not_null && !domain && rng.chance(50);
    new.default = rng.chance(30).then(|| any_default(schema, rng, &new.kind));
    adorn(rng, &mut new);
    new
}

pub fn bare_column(name: String, kind: Type) -> Column {
    Column {
        name,
        kind,
        not_null: false,
        default: None,
        identity: None,
        serial: false,
        generated: None,
        collation: None,
        storage: None,
        compression: None,
        statistics: None,
        comment: None,
        nulls: false,
        fresh: false,
    }
}

fn adorn(rng: &mut Rng, column: &mut Column) {
    let text = column.kind.family() == Family::Text;
    column.collation = (text && rng.chance(15)).then(|| *rng.pick(&["C", "POSIX"]));
    if (text || matches!(column.kind, Type::Jsonb | Type::Bytea)) && rng.chance(15) {
        column.storage = Some(rng.word(&["external", "main"]));
    }
    if matches!(column.kind, Type::Text | Type::Jsonb | Type::Bytea) && rng.chance(10) {
        column.compression = Some("pglz");
    }
    column.statistics = rng.chance(8).then(|| 100 + 50 * rng.below(4) as u32);
    column.comment = comment(rng);
}

/// A column for a table that has rows already: each takes the default, or null.
pub fn late_column(schema: &mut Schema, rng: &mut Rng) -> Column {
    let kind = kind(schema, rng);
    let mut new = bare_column(name(schema, rng, "c"), kind);
    new.fresh = true;
    if rng.chance(60) || matches!(new.kind, Type::Domain(_)) {
        new.default = Some(safe_default(schema, rng, &new.kind));
        new.not_null = rng.chance(60);
    } else {
        new.nulls = true;
    }
    adorn(rng, &mut new);
    new
}

pub fn identity(rng: &mut Rng) -> Identity {
    Identity { always: rng.chance(60), start: 1 + rng.below(2) as u32 * 99, increment: *rng.pick(&[1, 1, 5]) }
}

/// A column generated from another one of the table.
pub fn generated_column(schema: &mut Schema, rng: &mut Rng, table: &Table) -> Option<Column> {
    let base = rng.pick_where(&table.columns, |column| {
        column.plain() && matches!(column.kind.family(), Family::Integer | Family::Text)
    })?;
    let from = quote(&base.name);
    let mut needs = Vec::new();
    let (kind, sql) = if base.kind.family() == Family::Integer {
        match (rng.below(3), number(schema, rng)) {
            (0, Some((call, need))) => {
                needs.push(need);
                (Type::BigInt, format!("{call}({from}::bigint)"))
            }
            (1, _) => (Type::Numeric(20, 4), format!("{from} * 1.5")),
            _ => (Type::BigInt, format!("{from} + 1")),
        }
    } else {
        match rng.below(3) {
            0 => (Type::TsVector, format!("to_tsvector('english'::regconfig, coalesce({from}, ''))")),
            1 => (Type::Text, format!("upper({from})")),
            _ => (Type::Int, format!("length({from}) * 2")),
        }
    };
    let columns = vec![base.name.clone()];
    let mut new = bare_column(name(schema, rng, "gen"), kind);
    new.generated = Some(Expr { sql, columns, needs });
    new.comment = comment(rng);
    Some(new)
}

pub fn table(schema: &mut Schema, rng: &mut Rng, fresh: bool) -> Table {
    let mut facets = facets(rng, &TABLE_PRIVILEGES, "table");
    let mut new = Table {
        name: qualified(schema, rng, "t"),
        unlogged: rng.chance(6),
        columns: Vec::new(),
        primary_key: None,
        uniques: Vec::new(),
        checks: Vec::new(),
        foreign_keys: Vec::new(),
        exclusions: Vec::new(),
        indexes: Vec::new(),
        row_security: RowSecurity::Off,
        policies: Vec::new(),
        triggers: Vec::new(),
        with: Vec::new(),
        replica_identity: rng.chance(8).then(|| *rng.pick(&["full", "nothing"])),
        facets: Facets::default(),
        fresh,
    };
    let first = rng.pick(&[Type::Int, Type::BigInt, Type::BigInt, Type::Uuid, Type::Text]).clone();
    let mut id = bare_column(name(schema, rng, "id"), first);
    id.not_null = true;
    if id.kind.family() == Family::Integer {
        match rng.below(4) {
            0 => id.serial = true,
            1..=2 => id.identity = Some(identity(rng)),
            _ => {}
        }
    } else if id.kind == Type::Uuid {
        id.default = rng.chance(60).then(|| Expr { sql: "gen_random_uuid()".into(), ..Expr::default() });
    }
    new.columns.push(id);
    for _ in 0..1 + rng.below(7) {
        let kind = kind(schema, rng);
        new.columns.push(column(schema, rng, kind));
    }
    if rng.chance(25) {
        let generated = generated_column(schema, rng, &new);
        new.columns.extend(generated);
    }
    if rng.chance(85) {
        new.primary_key = keyed::primary_key(schema, rng, &new);
    }
    for _ in 0..rng.below(3) {
        let unique = keyed::unique(schema, rng, &new);
        new.uniques.extend(unique);
    }
    for _ in 0..rng.below(4) {
        let check = keyed::check(schema, rng, &new);
        new.checks.extend(check);
    }
    if rng.chance(50) {
        let exclusion = keyed::exclusion(schema, rng, &new);
        new.exclusions.extend(exclusion);
    }
    if rng.chance(15) {
        new.with = vec![*rng.pick(&STORAGE_PARAMETERS)];
    }
    if rng.chance(20) {
        facets.grants.push(column_grant(rng, &new));
    }
    new.facets = facets;
    new
}

pub const STORAGE_PARAMETERS: [(&str, &str); 4] = [
    ("fillfactor", "80"),
    ("autovacuum_enabled", "false"),
    ("autovacuum_vacuum_scale_factor", "0.05"),
    ("parallel_workers", "2"),
];

pub fn column_grant(rng: &mut Rng, table: &Table) -> Grant {
    let mut new = grant(rng, &["select", "insert", "update", "references"]);
    let names: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    new.columns = rng.some_of(&names, 2);
    new
}
