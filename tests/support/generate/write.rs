//! A schema as SQL for `psql`: DDL that builds it in an empty database, and rows for it.

use super::expression::{value, ROWS};
use super::schema::*;
use super::write_table;

/// DDL in an order that works, for an empty database where [`ROLES`](super::ROLES) exist.
pub fn sql(schema: &Schema, major: u32) -> String {
    let mut out = Vec::new();
    out.push("set client_min_messages = warning".to_string());
    for namespace in schema.schemas.iter().filter(|one| one.name != "public") {
        let phrase = format!("schema {}", quote(&namespace.name));
        out.push(format!("create {phrase}"));
        facets(&mut out, &phrase, &phrase, &namespace.facets);
    }
    out.extend(schema.extension.map(|name| format!("create extension {name} with schema public")));
    for one in &schema.enums {
        let labels: Vec<String> = one.labels.iter().map(|label| literal(label)).collect();
        let phrase = format!("type {}", one.name.sql());
        out.push(format!("create {phrase} as enum ({})", labels.join(", ")));
        facets(&mut out, &phrase, &phrase, &one.facets);
    }
    schema.domains.iter().for_each(|one| domain(&mut out, one));
    schema.sequences.iter().for_each(|one| sequence(&mut out, one));
    schema.functions.iter().filter(|one| one.early()).for_each(|one| function(&mut out, one));
    schema.tables.iter().for_each(|one| write_table::create(&mut out, one, major));
    for one in schema.sequences.iter() {
        if let Some((table, column)) = &one.owned_by {
            out.push(format!("alter sequence {} owned by {}.{}", one.name.sql(), table.sql(), quote(column)));
        }
    }
    // Functions may read views and views call functions, but not those that read something.
    schema.views.iter().for_each(|one| view(&mut out, one));
    schema.functions.iter().filter(|one| !one.early()).for_each(|one| function(&mut out, one));
    schema.tables.iter().for_each(|one| write_table::finish(&mut out, one));
    let renamed = schema.enums.iter().flat_map(|one| &one.renamed).map(|(old, new)| (literal(old), literal(new)));
    // In a body that is itself a string, quotes are doubled.
    let in_body = |text: &str| text.replace('\'', "''");
    let renamed: Vec<(String, String)> =
        renamed.flat_map(|(old, new)| [(in_body(&old), in_body(&new)), (old, new)]).collect();
    let under_new_labels =
        |statement: &String| renamed.iter().fold(statement.clone(), |sql, (old, new)| sql.replace(old, new));
    out.iter().map(|statement| format!("{};\n", under_new_labels(statement))).collect()
}

/// Owner, comment and grants. Functions and types are commented by one phrase and granted by another.
pub fn facets(out: &mut Vec<String>, phrase: &str, grant_on: &str, facets: &Facets) {
    if let Some(owner) = &facets.owner {
        out.push(format!("alter {phrase} owner to {}", quote(owner)));
    }
    comment(out, phrase, &facets.comment);
    if facets.private {
        out.push(format!("revoke all on {grant_on} from public"));
    }
    // What the table has as a whole comes first.
    let mut grants: Vec<&Grant> = facets.grants.iter().collect();
    grants.sort_by_key(|grant| !grant.columns.is_empty());
    for grant in grants.into_iter().filter(|grant| facets.owner.as_ref() != Some(&grant.role)) {
        let role = if grant.role == "public" { "public".into() } else { quote(&grant.role) };
        let privileges: Vec<String> = grant
            .privileges
            .iter()
            .map(|one| match grant.columns.as_slice() {
                [] => (*one).to_string(),
                columns => format!("{one} ({})", list(columns)),
            })
            .collect();
        let option = if grant.grant_option { " with grant option" } else { "" };
        out.push(format!("grant {} on {grant_on} to {role}{option}", privileges.join(", ")));
    }
}

pub fn comment(out: &mut Vec<String>, phrase: &str, text: &Option<String>) {
    if let Some(text) = text {
        out.push(format!("comment on {phrase} is {}", literal(text)));
    }
}

fn domain(out: &mut Vec<String>, one: &Domain) {
    let mut sql = format!("create domain {} as {}", one.name.sql(), one.base.sql());
    if let Some(collation) = one.collation {
        sql += &format!(" collate {}", quote(collation));
    }
    if let Some(default) = &one.default {
        sql += &format!(" default {default}");
    }
    if one.not_null {
        sql += " not null";
    }
    for (name, condition) in &one.checks {
        sql += &format!(" constraint {} check ({condition})", quote(name));
    }
    out.push(sql);
    let name = one.name.sql();
    facets(out, &format!("domain {name}"), &format!("type {name}"), &one.facets);
}

fn sequence(out: &mut Vec<String>, one: &Sequence) {
    let phrase = format!("sequence {}", one.name.sql());
    let max = one.max.map(|max| format!(" maxvalue {max}")).unwrap_or_default();
    let cycle = if one.cycle { " cycle" } else { "" };
    out.push(format!(
        "create {phrase} as {} increment {}{max} start {} cache {}{cycle}",
        one.kind, one.increment, one.start, one.cache
    ));
    let mut others = one.facets.clone();
    if one.owned_by.is_some() {
        // It follows its table from owner to owner.
        let owner = others.owner.take();
        others.grants.retain(|grant| owner.as_ref() != Some(&grant.role));
    }
    facets(out, &phrase, &phrase, &others);
}

fn function(out: &mut Vec<String>, one: &Function) {
    let arguments: Vec<String> = one
        .arguments
        .iter()
        .map(|argument| {
            let name = if argument.name.is_empty() { String::new() } else { quote(&argument.name) };
            let default = argument.default.as_ref().map(|sql| format!("default {sql}")).unwrap_or_default();
            [argument.mode, &name, &argument.kind.sql(), &default]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    let word = if one.procedure { "procedure" } else { "function" };
    let mut sql = format!("create {word} {}({})", one.name.sql(), arguments.join(", "));
    if !one.procedure {
        sql += &format!(" returns {}", one.returns);
    }
    sql += &format!(" language {}", one.language);
    if !one.volatility.is_empty() {
        sql += &format!(" {}", one.volatility);
    }
    if one.strict {
        sql += " strict";
    }
    if one.security_definer {
        sql += " security definer";
    }
    if !one.parallel.is_empty() {
        sql += &format!(" parallel {}", one.parallel);
    }
    if let Some(cost) = one.cost {
        sql += &format!(" cost {cost}");
    }
    if let Some(path) = one.search_path {
        sql += &format!(" set search_path = {path}");
    }
    sql += &if one.atomic { format!(" begin atomic {}; end", one.body) } else { format!(" as {}", literal(&one.body)) };
    out.push(sql);
    let phrase = format!("{word} {}", one.signature());
    facets(out, &phrase, &phrase, &one.facets);
}

fn view(out: &mut Vec<String>, one: &View) {
    let word = if one.materialized { "materialized view" } else { "view" };
    let phrase = format!("{word} {}", one.name.sql());
    let options: Vec<String> = one.options.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    let with = if options.is_empty() { String::new() } else { format!(" with ({})", options.join(", ")) };
    let data = if one.with_data { "" } else { " with no data" };
    out.push(format!("create {phrase}{with} as {}{data}", one.query.sql));
    facets(out, &phrase, &one.name.sql(), &one.facets);
    one.indexes.iter().for_each(|index| write_table::index(out, &one.name, index));
}

/// Rows for every table, [`ROWS`] each; their sequences go on behind them. Triggers and foreign keys
/// sleep meanwhile.
pub fn rows(schema: &Schema) -> String {
    let mut out = String::from("set session_replication_role = replica;\n");
    for table in &schema.tables {
        let columns: Vec<&Column> = table.columns.iter().filter(|column| column.plain()).collect();
        for k in 1..=ROWS {
            if columns.is_empty() {
                out += &format!("insert into {} default values;\n", table.name.sql());
                continue;
            }
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            let values: Vec<String> = columns
                .iter()
                .map(|column| if column.nulls && k == ROWS { "null".into() } else { value(schema, &column.kind, k) })
                .collect();
            out += &format!(
                "insert into {} ({}) overriding system value values ({});\n",
                table.name.sql(),
                list(&names),
                values.join(", ")
            );
        }
        for column in table.columns.iter().filter(|column| column.serial || column.identity.is_some()) {
            let (table, column) = (literal(&table.name.sql()), literal(&column.name));
            out += &format!("do $$ begin perform setval(pg_get_serial_sequence({table}, {column}), 10); end $$;\n");
        }
    }
    out + "reset session_replication_role;\n"
}
