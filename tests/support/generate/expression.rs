//! The vocabulary: values of rows, conditions that hold for them, defaults.

use super::schema::{literal, quote, Column, Expr, Family, Name, Need, Purpose, Schema, Table, Type};
use super::Rng;

/// How many rows a table gets.
pub const ROWS: usize = 3;

/// The value of a type in row `k`, which counts from 1.
pub fn value(schema: &Schema, kind: &Type, k: usize) -> String {
    match kind {
        Type::SmallInt | Type::Int | Type::BigInt | Type::Numeric(..) | Type::Double => k.to_string(),
        Type::Text | Type::Varchar(_) => format!("'v{k}'"),
        Type::Bool => (k % 2 == 1).to_string(),
        Type::Uuid => format!("'00000000-0000-4000-8000-{k:012}'"),
        Type::Date => format!("'2024-01-0{k}'"),
        Type::Timestamptz => format!("'2024-01-0{k} 12:00:00+00'"),
        Type::Interval => format!("'{k} days'"),
        Type::Jsonb => format!("'{{\"k\": {k}}}'"),
        Type::Bytea => format!("'\\x0{k}'"),
        Type::Int4Range => format!("'[{k}0,{k}5)'"),
        Type::TsVector | Type::Citext => format!("'v{k}'"),
        Type::Vector => format!("'[{k},0,0.5]'"),
        Type::Enum(name) => schema.enumeration(name).map_or("null".into(), |one| literal(&one.held)),
        Type::Domain(name) => schema.domain(name).map_or("null".into(), |one| value(schema, &one.base, k)),
        Type::Array(of) => format!("array[{}]::{}", value(schema, of, k), kind.sql()),
    }
}

/// A condition on a column of a table.
pub fn condition(schema: &Schema, rng: &mut Rng, column: &Column) -> Expr {
    let name = quote(&column.name);
    let mut found = if column.plain() {
        on(schema, rng, &name, &column.kind)
    } else {
        // Its values are not those of its type.
        Expr { sql: format!("coalesce({name} = {name}, true)"), ..Expr::default() }
    };
    found.columns.push(column.name.clone());
    found
}

/// A condition on one or two columns of a table, all of them immutable.
pub fn conditions(schema: &Schema, rng: &mut Rng, table: &Table) -> Option<Expr> {
    if table.columns.is_empty() {
        return None;
    }
    let column = rng.pick(&table.columns);
    let one = condition(schema, rng, column);
    if rng.chance(75) {
        return Some(one);
    }
    let column = rng.pick(&table.columns);
    let other = condition(schema, rng, column);
    let sql = match rng.below(4) {
        0 => format!("({}) and ({})", one.sql, other.sql),
        1 => format!("{} or {}", one.sql, other.sql),
        2 => format!("case when {} is null then true else {} end", quote(&other.columns[0]), one.sql),
        _ => format!("coalesce({}, true) and {}", one.sql, other.sql),
    };
    let columns = [one.columns, other.columns].concat();
    Some(Expr { sql, columns, needs: [one.needs, other.needs].concat() })
}

/// A condition on something of a type, which holds for all values of rows.
pub fn on(schema: &Schema, rng: &mut Rng, name: &str, kind: &Type) -> Expr {
    let mut needs = Vec::new();
    let sql = match kind {
        Type::SmallInt | Type::Int | Type::BigInt => match rng.below(8) {
            0 => format!("{name} >= 0"),
            1 => format!("{name} between 0 and 100000"),
            2 => format!("{name} in (1, 2, 3)"),
            3 => format!("{name}::numeric > -1.5"),
            4 => format!("{name} <> all (array[-1, -2])"),
            5 => format!("{name} is not distinct from {name}"),
            6 => format!("not ({name} < 0 or {name} > 9999)"),
            _ => match number(schema, rng) {
                Some((call, need)) => {
                    needs.push(need);
                    format!("{call}({name}) > -100000")
                }
                None => format!("{name} % 10 < 10"),
            },
        },
        Type::Numeric(..) | Type::Double => match rng.below(3) {
            0 => format!("{name} >= 0 and {name} < 1e6"),
            1 => format!("{name} > (-0.5)"),
            _ => format!("round({name}::numeric, 1) <> -1"),
        },
        Type::Text | Type::Varchar(_) => match rng.below(10) {
            0 => format!("length({name}) > 0"),
            1 => format!("{name} in ('v1', 'v2', 'v3', 'w''s')"),
            2 => format!("{name} like 'v%'"),
            3 => format!("{name} ~ '^[a-z]\\d'"),
            4 => format!("{name} <> ''"),
            5 => format!("{name} = any (array['v1', 'v2', 'v3'])"),
            6 => format!("lower({name}) = {name}"),
            7 => format!("char_length({name}) <= 150 and not ({name} = 'x' or {name} is null and false)"),
            8 => format!("{name} not in ('a', 'b')"),
            _ => format!("{name}::text not like all (array['a%', 'b%'])"),
        },
        Type::Bool => format!("{name} or not {name}"),
        Type::Uuid => format!("{name} <> '00000000-0000-0000-0000-000000000000'"),
        Type::Date => match rng.below(2) {
            0 => format!("{name} > '2000-01-01'"),
            _ => format!("extract(year from {name}) between 2000 and 2999"),
        },
        Type::Timestamptz => format!("{name} > '2000-01-01 00:00:00+02'"),
        Type::Interval => match rng.below(2) {
            0 => format!("{name} < interval '90 days'"),
            _ => format!("{name} >= '0'"),
        },
        Type::Jsonb => match rng.below(4) {
            0 => format!("jsonb_typeof({name}) = 'object'"),
            1 => format!("{name} ? 'k'"),
            2 => format!("({name} ->> 'k')::int > 0"),
            _ => format!("{name} @> '{{}}'"),
        },
        Type::Bytea => format!("octet_length({name}) < 100"),
        Type::Int4Range => match rng.below(2) {
            0 => format!("not isempty({name})"),
            _ => format!("lower({name}) >= 0"),
        },
        Type::TsVector => format!("{name} is not null"),
        Type::Vector => format!("public.vector_dims({name}) = 3"),
        Type::Citext => format!("{name} <> ''::public.citext"),
        Type::Enum(_) => match schema.enumeration(kind.user().unwrap_or(&nobody())) {
            Some(one) if rng.chance(70) => match rng.below(3) {
                0 => format!("{name} = {}", literal(&one.held)),
                1 => format!("{name} in ({0}, {0})", literal(&one.held)),
                _ => format!("{name} >= {0} or {name} < {0}", literal(&one.held)),
            },
            _ => format!("{name} is not null or {name} is null"),
        },
        Type::Domain(domain) => match schema.domain(domain) {
            Some(one) => return on(schema, rng, name, &one.base.clone()),
            None => "true".into(),
        },
        Type::Array(_) => match rng.below(2) {
            0 => format!("cardinality({name}) < 10"),
            _ => format!("array_length({name}, 1) = 1"),
        },
    };
    Expr { sql, columns: Vec::new(), needs }
}

fn nobody() -> Name {
    Name { schema: String::new(), name: String::new() }
}

/// A default that satisfies the vocabulary, so that rows may take it: constant, or near it.
pub fn safe_default(schema: &Schema, rng: &mut Rng, kind: &Type) -> Expr {
    let k = 1 + rng.below(ROWS);
    let constant = value(schema, kind, k);
    let sql = match kind {
        Type::Text if rng.chance(30) => format!("'v' || {k}"),
        Type::Text | Type::Varchar(_) if rng.chance(30) => format!("lower('V{k}')"),
        Type::SmallInt | Type::Int | Type::BigInt if rng.chance(25) => format!("({k} - 0)"),
        Type::SmallInt | Type::Int | Type::BigInt if rng.chance(25) => format!("'{k}'::{}", kind.sql()),
        Type::Uuid if rng.chance(50) => "gen_random_uuid()".into(),
        Type::Timestamptz if rng.chance(60) => {
            rng.pick(&["now()", "CURRENT_TIMESTAMP", "date_trunc('day', now())"]).to_string()
        }
        Type::Date if rng.chance(50) => rng.pick(&["CURRENT_DATE", "(now() at time zone 'UTC')::date"]).to_string(),
        Type::Interval if rng.chance(50) => "interval '1 day' * 2".into(),
        _ => constant,
    };
    Expr { sql, ..Expr::default() }
}

/// Any default, for columns whose rows have values already.
pub fn any_default(schema: &Schema, rng: &mut Rng, kind: &Type) -> Expr {
    let sequence = rng.pick_where(&schema.sequences, |one| one.owned_by.is_none()).map(|one| one.name.clone());
    match (kind.family(), rng.below(6)) {
        (Family::Integer, 0) => {
            if let Some((call, need)) = number(schema, rng) {
                return Expr { sql: format!("{call}(1)"), columns: Vec::new(), needs: vec![need] };
            }
            safe_default(schema, rng, kind)
        }
        (Family::Integer, 1) => match sequence {
            Some(name) => Expr {
                sql: format!("nextval({}::regclass)", literal(&name.sql())),
                columns: Vec::new(),
                needs: vec![Need::Relation(name)],
            },
            None => Expr { sql: "-1".into(), ..Expr::default() },
        },
        (Family::Text, 0) => Expr { sql: literal("it's: a \\ #default"), ..Expr::default() },
        (Family::Text, 1) => Expr { sql: "current_user".into(), ..Expr::default() },
        _ => safe_default(schema, rng, kind),
    }
}

/// A function from bigint to a number: its name, and that it is needed.
pub fn number(schema: &Schema, rng: &mut Rng) -> Option<(String, Need)> {
    let found = rng.pick_where(&schema.functions, |one| one.purpose == Purpose::Number)?;
    Some((found.name.sql(), Need::Function(found.signature())))
}
