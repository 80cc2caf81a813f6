//! What acts or is derived: functions, triggers, policies, views.

use super::expression::{conditions, on};
use super::keyed::deferral;
use super::random::{comment, facets, name, qualified, TABLE_PRIVILEGES};
use super::schema::*;
use super::{Rng, ROLES};

fn function(schema: &mut Schema, rng: &mut Rng, purpose: Purpose) -> Function {
    let security_definer = rng.chance(15);
    Function {
        name: qualified(schema, rng, "f"),
        procedure: false,
        arguments: Vec::new(),
        returns: String::new(),
        language: "sql",
        body: String::new(),
        atomic: false,
        volatility: "",
        strict: rng.chance(15),
        security_definer,
        search_path: (security_definer || rng.chance(15)).then(|| *rng.pick(&["''", "pg_catalog", "public, pg_temp"])),
        parallel: rng.word(&["", "", "safe", "restricted"]),
        cost: rng.chance(12).then(|| 10 + rng.below(500) as u32),
        purpose,
        needs: Vec::new(),
        facets: facets(rng, &["execute"], "function"),
    }
}

fn argument(name: &str, kind: Type) -> Argument {
    Argument { mode: "", name: name.into(), kind, default: None }
}

/// Functions that need no tables; several are overloads of one name.
pub fn early_function(schema: &mut Schema, rng: &mut Rng) -> Vec<Function> {
    match rng.below(6) {
        0 | 1 => vec![number_function(schema, rng)],
        2 => vec![trigger_function(schema, rng)],
        3 => {
            let mut new = function(schema, rng, Purpose::Tenant);
            new.returns = "text".into();
            new.volatility = "stable";
            new.strict = false;
            new.body = "select nullif(current_setting('app.tenant', true), '')".into();
            vec![new]
        }
        4 => overloads(schema, rng),
        _ => vec![procedure(schema, rng)],
    }
}

fn number_function(schema: &mut Schema, rng: &mut Rng) -> Function {
    let mut new = function(schema, rng, Purpose::Number);
    new.arguments = vec![argument("n", Type::BigInt)];
    new.returns = rng.pick(&["bigint", "numeric"]).to_string();
    new.volatility = "immutable";
    number_body(rng, &mut new);
    new
}

/// Another body, perhaps in another language.
pub fn number_body(rng: &mut Rng, function: &mut Function) {
    let by = rng.below(1000);
    function.atomic = false;
    match rng.below(3) {
        0 => {
            function.language = "plpgsql";
            function.body = format!("begin\n  -- it's: a comment, $x$ \\ %\n  return n + {by};\nend");
        }
        1 => {
            function.language = "sql";
            function.atomic = true;
            function.body = format!("select n + {by}");
        }
        _ => {
            function.language = "sql";
            function.body = format!("select n + {by}");
        }
    }
}

pub fn trigger_function(schema: &mut Schema, rng: &mut Rng) -> Function {
    let mut new = function(schema, rng, Purpose::Trigger);
    new.returns = "trigger".into();
    new.language = "plpgsql";
    new.strict = false;
    trigger_body(rng, &mut new);
    new
}

pub fn trigger_body(rng: &mut Rng, function: &mut Function) {
    function.body = format!(
        "begin\n  -- {}\n  if tg_level = 'ROW' and tg_op <> 'DELETE' then\n    return new;\n  end if;\n  return null;\nend",
        rng.below(1000)
    );
}

fn overloads(schema: &mut Schema, rng: &mut Rng) -> Vec<Function> {
    let base = function(schema, rng, Purpose::Other);
    let sets: [Vec<Argument>; 4] = [
        vec![],
        vec![argument("a", Type::Text)],
        vec![argument("a", Type::Int), Argument { default: Some("'x'".into()), ..argument("b", Type::Text) }],
        vec![
            argument("", Type::Jsonb),
            Argument { mode: "variadic", ..argument("rest", Type::Array(Box::new(Type::Int))) },
        ],
    ];
    let mut all = Vec::new();
    for arguments in rng.some_of(&sets, 3) {
        let mut new = Function { arguments, facets: facets(rng, &["execute"], "function"), ..base.clone() };
        new.returns = rng.pick(&["integer", "setof integer", "table(one integer, two text)"]).to_string();
        let two = if new.returns.starts_with("table") { ", 'x'::text" } else { "" };
        new.body = format!("select {}{two}", rng.below(100));
        new.volatility = rng.word(&["", "stable", "immutable"]);
        if let Some(kind) = rng.pick_where(&schema.enums, |_| true).filter(|_| rng.chance(25)) {
            if new.arguments.len() == 1 {
                new.arguments.push(argument("e", Type::Enum(kind.name.clone())));
                new.needs.push(Need::Type(kind.name.clone()));
            }
        }
        all.push(new);
    }
    all
}

fn procedure(schema: &mut Schema, rng: &mut Rng) -> Function {
    let mut new = function(schema, rng, Purpose::Other);
    new.procedure = true;
    new.strict = false;
    new.parallel = "";
    new.cost = None;
    new.arguments = vec![argument("a", Type::Int)];
    if rng.chance(50) {
        new.arguments.push(Argument { mode: "inout", ..argument("b", Type::Text) });
        new.language = "plpgsql";
        new.body = "begin b := a::text; end".into();
    } else {
        new.body = "select a + 1".into();
    }
    new
}

/// A function that reads a table or view.
pub fn late_function(schema: &mut Schema, rng: &mut Rng) -> Option<Function> {
    let (from, columns) = source(schema, rng)?;
    let (column, kind) = rng.pick_where(&columns, |_| true)?.clone();
    let mut new = function(schema, rng, Purpose::Other);
    new.volatility = "stable";
    new.returns = "bigint".into();
    let condition = on(schema, rng, &format!("x.{}", quote(&column)), &kind);
    new.body = format!("select count(*) from {} as x where {}", from.sql(), condition.sql);
    new.needs = [vec![Need::Relation(from.clone()), Need::Column(from, column)], condition.needs].concat();
    new.atomic = rng.chance(50);
    Some(new)
}

/// A table or view with its columns and their types.
fn source(schema: &Schema, rng: &mut Rng) -> Option<(Name, Vec<(String, Type)>)> {
    // A materialized view without data cannot be read.
    if let Some(view) = rng.pick_where(&schema.views, |view| view.with_data).filter(|_| rng.chance(35)) {
        return Some((view.name.clone(), view.outputs.clone()));
    }
    let table = rng.pick_where(&schema.tables, |table| !table.columns.is_empty())?;
    let columns = table.columns.iter().map(|column| (column.name.clone(), column.kind.clone())).collect();
    Some((table.name.clone(), columns))
}

pub fn policy(schema: &mut Schema, rng: &mut Rng, at: usize) -> Option<Policy> {
    let command = *rng.pick(&["all", "all", "select", "insert", "update", "delete"]);
    let table = schema.tables[at].clone();
    let using = if command == "insert" { None } else { policy_condition(schema, rng, &table) };
    let check = if matches!(command, "select" | "delete") || (command != "insert" && rng.chance(50)) {
        None
    } else {
        policy_condition(schema, rng, &table)
    };
    (using.is_some() || check.is_some()).then(|| Policy {
        name: name(schema, rng, "policy"),
        restrictive: rng.chance(20),
        command,
        roles: if rng.chance(50) { Vec::new() } else { rng.some_of(&ROLES.map(String::from), 2) },
        using,
        check,
        comment: comment(rng),
    })
}

pub fn policy_condition(schema: &Schema, rng: &mut Rng, table: &Table) -> Option<Expr> {
    let column = rng.pick_where(&table.columns, |_| true)?;
    let this = quote(&column.name);
    let of_column = |sql: String, needs: Vec<Need>| Expr { sql, columns: vec![column.name.clone()], needs };
    let tenant = rng.pick_where(&schema.functions, |one| one.purpose == Purpose::Tenant);
    Some(match rng.below(6) {
        0 => Expr { sql: "true".into(), ..Expr::default() },
        1 => of_column(format!("{this}::text = current_setting('app.tenant', true)"), vec![]),
        2 => match tenant {
            Some(one) => of_column(
                format!("{this}::text = (select {}())", one.name.sql()),
                vec![Need::Function(one.signature())],
            ),
            None => of_column(format!("{this}::text = current_user"), vec![]),
        },
        3 => {
            let other = rng.pick_where(&schema.tables, |other| {
                other.name != table.name
                    && other.columns.iter().any(|one| one.kind == column.kind && column.kind.distinct())
            });
            match other {
                Some(other) => {
                    let matching = other.columns.iter().find(|one| one.kind == column.kind)?;
                    let needs = vec![
                        Need::Relation(other.name.clone()),
                        Need::Column(other.name.clone(), matching.name.clone()),
                    ];
                    let sql = format!(
                        "exists (select 1 from {} o where o.{} = {}.{this})",
                        other.name.sql(),
                        quote(&matching.name),
                        quote(&table.name.name)
                    );
                    of_column(sql, needs)
                }
                None => conditions(schema, rng, table)?,
            }
        }
        _ => conditions(schema, rng, table)?,
    })
}

pub fn trigger(schema: &mut Schema, rng: &mut Rng, at: usize) -> Option<Trigger> {
    if !schema.functions.iter().any(|one| one.purpose == Purpose::Trigger) {
        let new = trigger_function(schema, rng);
        schema.functions.push(new);
    }
    let function = rng.pick_where(&schema.functions, |one| one.purpose == Purpose::Trigger)?.signature();
    let table = schema.tables[at].clone();
    let row = rng.chance(65);
    let timing = *rng.pick(&["before", "after"]);
    let constraint = (row && timing == "after" && rng.chance(25)).then(|| deferral(rng));
    let mut events = rng.some_of(&["insert", "update", "delete", "truncate"], 2);
    if row {
        events.retain(|event| *event != "truncate");
    }
    if events.is_empty() {
        events.push("update");
    }
    let transition =
        timing == "after" && constraint.is_none() && events.len() == 1 && events[0] != "truncate" && rng.chance(30);
    let plain: Vec<String> = table.columns.iter().filter(|one| one.plain()).map(|one| one.name.clone()).collect();
    let update_of = if events.contains(&"update") && !transition && !plain.is_empty() && rng.chance(35) {
        rng.some_of(&plain, 2)
    } else {
        Vec::new()
    };
    let when = match rng.pick_where(&plain, |_| true) {
        Some(column) if row && rng.chance(40) => {
            let this = quote(column);
            let sql = match events.as_slice() {
                ["update"] => Some(format!("old.{this} is distinct from new.{this}")),
                ["delete"] => Some(format!("old.{this} is not null")),
                ["insert"] | ["insert", "update"] => Some(format!("new.{this} is not null")),
                _ => None,
            };
            sql.map(|sql| Expr { sql, columns: vec![column.clone()], needs: Vec::new() })
        }
        _ => None,
    };
    Some(Trigger {
        name: name(schema, rng, "trg"),
        timing,
        events,
        update_of,
        row,
        when,
        function,
        arguments: if rng.chance(20) { vec!["it's".into(), "x: \\ y".into()] } else { Vec::new() },
        enabled: rng.word(&["", "", "", "", "disable", "enable replica", "enable always"]),
        constraint,
        transition,
        comment: comment(rng),
    })
}

pub fn view(schema: &mut Schema, rng: &mut Rng) -> Option<View> {
    let materialized = rng.chance(25);
    let name = qualified(schema, rng, "v");
    let (query, outputs, simple) = query(schema, rng)?;
    let mut new = View {
        name,
        materialized,
        query,
        outputs,
        simple,
        options: Vec::new(),
        with_data: !materialized || rng.chance(80),
        indexes: Vec::new(),
        facets: facets(rng, &TABLE_PRIVILEGES, "view"),
    };
    if materialized {
        for _ in 0..rng.below(3) {
            let index = view_index(schema, rng, &new);
            new.indexes.extend(index);
        }
    } else {
        new.options = view_options(schema, rng, &new);
    }
    Some(new)
}

pub fn view_options(schema: &Schema, rng: &mut Rng, view: &View) -> Vec<(&'static str, &'static str)> {
    let mut options = Vec::new();
    if rng.chance(25) {
        options.push(("security_barrier", "true"));
    }
    if schema.major >= 15 && rng.chance(35) {
        options.push(("security_invoker", "true"));
    }
    let updatable =
        view.simple && !schema.views.iter().any(|other| view.query.needs.contains(&Need::Relation(other.name.clone())));
    if updatable && rng.chance(20) {
        options.push(("check_option", *rng.pick(&["local", "cascaded"])));
    }
    options
}

pub fn view_index(schema: &mut Schema, rng: &mut Rng, view: &View) -> Option<Index> {
    let (column, _) = rng.pick(&view.outputs).clone();
    Some(Index {
        name: name(schema, rng, "ix"),
        unique: false,
        using: "btree",
        keys: vec![Expr { sql: quote(&column), columns: vec![column], needs: Vec::new() }],
        include: Vec::new(),
        predicate: None,
        with: None,
        nulls_not_distinct: false,
        comment: comment(rng),
    })
}

type Outputs = Vec<(String, Type)>;

/// A query, what it gives, and whether it is simple.
pub fn query(schema: &mut Schema, rng: &mut Rng) -> Option<(Expr, Outputs, bool)> {
    let (from, all) = source(schema, rng)?;
    let columns = rng.some_of(&all, 4);
    let mut needs = vec![Need::Relation(from.clone())];
    needs.extend(columns.iter().map(|(column, _)| Need::Column(from.clone(), column.clone())));
    let names: Vec<String> = columns.iter().map(|(column, _)| format!("x.{}", quote(column))).collect();
    let selected = names.join(", ");
    let source = from.sql();
    let mut outputs = columns.clone();
    let mut simple = false;
    let (first, first_kind) = columns.first()?.clone();
    let one = format!("x.{}", quote(&first));
    let sql = match rng.below(8) {
        0 => {
            let count = name(schema, rng, "how many");
            outputs = vec![(first, first_kind), (count.clone(), Type::BigInt)];
            format!("select {one}, count(*) as {} from {source} x group by {one}", quote(&count))
        }
        1 => {
            let (other, others) = self::source(schema, rng)?;
            let (column, kind) = rng.pick_where(&others, |_| true)?.clone();
            needs.push(Need::Relation(other.clone()));
            needs.push(Need::Column(other.clone(), column.clone()));
            let condition = on(schema, rng, &format!("y.{}", quote(&column)), &kind);
            needs.extend(condition.needs);
            let joined = name(schema, rng, "joined");
            outputs.push((joined.clone(), kind));
            format!(
                "select {selected}, y.{} as {} from {source} x left join {} y on {}",
                quote(&column),
                quote(&joined),
                other.sql(),
                condition.sql
            )
        }
        2 => {
            let table = schema.table(&from);
            let key = table.and_then(|table| table.primary_key.as_ref()).filter(|key| key.deferral == Deferral::No);
            match key {
                // Columns that depend on the key need not be grouped by: the view stands on the constraint.
                Some(key) => {
                    needs.push(Need::PrimaryKey(from.clone(), key.columns.clone()));
                    let by: Vec<String> = key.columns.iter().map(|column| format!("x.{}", quote(column))).collect();
                    format!("select {selected} from {source} x group by {}", by.join(", "))
                }
                None => format!("select distinct {selected} from {source} x"),
            }
        }
        3 => format!("select {selected} from {source} x union all select {selected} from {source} x where false"),
        4 => {
            let rank = name(schema, rng, "rank");
            outputs = vec![(first, first_kind), (rank.clone(), Type::BigInt)];
            format!(
                "with x as (select * from (select {selected} from {source} x) s) \
                 select {one}, row_number() over (order by {one}) as {} from x",
                quote(&rank)
            )
        }
        5 => {
            outputs = vec![("as text".into(), Type::Text), ("choice".into(), Type::Text)];
            let condition = on(schema, rng, &one, &first_kind);
            needs.extend(condition.needs);
            format!(
                "select {one}::text as \"as text\", case when {} then 'yes' else coalesce({one}::text, 'no') end as choice from {source} x",
                condition.sql
            )
        }
        _ => {
            simple = true;
            if rng.chance(60) {
                let condition = on(schema, rng, &one, &first_kind);
                needs.extend(condition.needs);
                format!("select {selected} from {source} x where {}", condition.sql)
            } else {
                format!("select {selected} from {source} x")
            }
        }
    };
    Some((Expr { sql, columns: Vec::new(), needs }, outputs, simple))
}
