//! Preflight: what the data and the role's privileges say against a plan, asked before anybody reviews it.

use super::batch::Input;
use super::relabel::{relabelled, relabels, Relabel};
use super::rename::{renames, under_old_names, Rename};
use super::Finding;
use crate::catalog::Session;
use crate::diff::{diff, reworded, same_spec, Delta};
use crate::error::{Error, Result};
use crate::kinds::{self, Question, Scope};
use crate::model::{Address, Model, Node};
use crate::sql::{qualified, references, Fragment, Ident, Shape, Space};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The questions that the kinds have about what a plan creates and alters. `deltas` is how the models differ.
pub fn questions(input: &Input, deltas: &[Delta]) -> Vec<(Address, Question)> {
    let (done, mut renamed) = renames(input.actual, input.desired, input.major);
    let shadows = shadows(&done, input.actual);
    let desired = match done.is_empty() {
        true => Cow::Borrowed(input.desired),
        false => Cow::Owned(under_old_names(input.desired)),
    };
    let before = |address: &Address| done.iter().rev().fold(address.clone(), |at, r| at.moved(&r.to, &r.from));
    let relabels = relabels(&renamed, &desired, &before);
    let all: Vec<&Relabel> = relabels.iter().collect();
    if let Cow::Owned(model) = relabelled(&renamed, &all) {
        renamed = Cow::Owned(model);
    }
    let changed = !done.is_empty() || !relabels.is_empty();
    let mut under_new_names = changed.then(|| diff(&renamed, &desired));
    if let Some(model) = reworded(&renamed, under_new_names.as_deref().unwrap_or(deltas)) {
        renamed = Cow::Owned(model);
        under_new_names = Some(diff(&renamed, &desired));
    }
    let sizes = |address: &Address| input.surroundings.sizes.of(address);
    let default_grants = |class: char, schema: &str| input.surroundings.grants(class, schema);
    let scope = Scope {
        actual: &renamed,
        desired: input.desired,
        major: input.major,
        sizes: &sizes,
        held_by_policies: input.surroundings.held_by_policies,
        default_grants: &default_grants,
        same_spec,
    };
    let mut questions = Vec::new();
    for delta in under_new_names.as_deref().unwrap_or(deltas) {
        let Some(new) = delta.new.filter(|_| delta.spec) else { continue };
        // What is created together with its table has no rows to ask about.
        let table = kinds::relation::table_of(&new.address);
        if !table.iter().all(|t| renamed.get(t).is_some()) {
            continue;
        }
        let asked = kinds::kind_of(&new.address).preflight(delta.old, new, &scope);
        let live = |q: Question| {
            let sql = relabels.iter().fold(q.sql, |sql, relabel| relabel.back().said(&sql).unwrap_or(sql));
            Question { sql: under_live_names(&sql, &shadows), refused: q.refused }
        };
        questions.extend(asked.into_iter().map(|q| (new.address.clone(), live(q))));
    }
    questions
}

/// What stands in a question for a table that is still to be renamed, or whose columns are.
struct Shadow {
    /// The table as questions name it.
    named: String,
    /// Its name alone, by which expressions may call a whole row.
    alias: String,
    /// The table as it is, under the names that it will have.
    live: String,
}

fn shadows(renames: &[Rename], actual: &Model) -> Vec<Shadow> {
    let after = |address: &Address| renames.iter().fold(address.clone(), |at, r| at.moved(&r.from, &r.to));
    let mut shadows = Vec::new();
    for table in actual.nodes().iter().filter(|n| !renames.is_empty() && kinds::kind_of(&n.address).holds_rows()) {
        let now = after(&table.address);
        let columns: Vec<(&Address, Address)> = actual
            .children(&table.address)
            .filter(|n| kinds::kind_of(&n.address).stays_with_parent())
            .map(|n| (&n.address, after(&n.address)))
            .collect();
        if now == table.address && columns.iter().all(|(from, to)| *from == to) {
            continue;
        }
        // What is known of keys may still speak of the old names.
        let taken = |name: &str| columns.iter().any(|(from, _)| from.name() == name);
        let clash = columns.iter().any(|(from, to)| from.name() != to.name() && taken(to.name()));
        let renamed = columns.iter().filter(|(from, to)| clash || from.name() != to.name());
        let renamed = renamed.map(|(from, to)| format!(", {} AS {}", Ident(from.name()), Ident(to.name())));
        let columns = format!("{}{}", if clash { "" } else { ", *" }, renamed.collect::<String>());
        let from = kinds::relation::relation(&table.address);
        shadows.push(Shadow {
            named: kinds::relation::relation(&now),
            alias: Ident(now.name()).to_string(),
            live: format!("(SELECT ctid{columns} FROM {from})"),
        });
    }
    shadows
}

/// A question as it can be asked before anything is renamed.
fn under_live_names(sql: &str, shadows: &[Shadow]) -> String {
    let mut sql = sql.to_owned();
    for Shadow { named, alias, live } in shadows {
        let place = format!("FROM {named}");
        let mut text = String::with_capacity(sql.len());
        let mut rest = sql.as_str();
        while let Some(at) = rest.find(&place) {
            let behind = &rest[at + place.len()..];
            text.push_str(&rest[..at]);
            let word = behind.trim_start().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            let ends = behind.is_empty() || behind.starts_with([' ', ')']);
            if !ends {
                text.push_str(&place);
            } else if matches!(word, "" | "WHERE" | "GROUP" | "ORDER") {
                text.push_str(&format!("FROM {live} {alias}"));
            } else {
                text.push_str(&format!("FROM {live}"));
            }
            rest = behind;
        }
        text.push_str(rest);
        sql = text;
    }
    sql
}

/// Asks the questions in the open transaction. What cannot be asked is returned in words, and so is what should
/// not be: nobody has reviewed what the declaration calls, so only what cannot act is called.
pub async fn ask(session: &Session, questions: &[(Address, Question)]) -> Result<(Vec<Finding>, Vec<String>)> {
    let mut findings = Vec::new();
    let mut not_checked = Vec::new();
    let called: Vec<Vec<(String, String)>> = questions.iter().map(|(_, question)| called(question)).collect();
    let acting = acting(session, &called).await?;
    for ((address, question), called) in questions.iter().zip(&called) {
        if called.is_empty() {
            not_checked.push(format!("{address}: not asked, because it cannot be told what the question would call"));
            continue;
        }
        if let Some((schema, name)) = called.iter().find(|called| acting.contains(*called)) {
            let name = qualified(schema, name);
            not_checked.push(format!(
                "{address}: not asked, because that would call {name}, which is volatile: it may do more than read"
            ));
            continue;
        }
        session.client.batch_execute("SAVEPOINT pgplumb_question").await?;
        match session.client.query_one(&question.sql, &[]).await {
            Ok(row) => {
                let count: i64 = row.try_get(0)?;
                let examples: Option<Vec<Option<String>>> = row.try_get(1)?;
                if count > 0 {
                    findings.push(Finding {
                        address: address.to_string(),
                        text: match count {
                            1 => format!("1 row {}", of_one(&question.refused)),
                            _ => format!("{count} rows {}", question.refused),
                        },
                        rows: u64::try_from(count).ok(),
                        examples: examples.unwrap_or_default().into_iter().flatten().collect(),
                    });
                }
            }
            Err(error) => not_checked.push(format!("{address}: {}", Error::from(error).message())),
        }
        session.client.batch_execute("ROLLBACK TO pgplumb_question").await?;
    }
    Ok((findings, not_checked))
}

/// What is said of rows, of one row.
fn of_one(refused: &str) -> String {
    let (verb, rest) = refused.split_once(' ').unwrap_or((refused, ""));
    let verb = match verb {
        "have" => "has".to_owned(),
        "do" => "does".to_owned(),
        verb => format!("{verb}s"),
    };
    format!("{verb} {rest}").trim_end().to_owned()
}

/// The functions and operators in a question, each with the schema in which it is found.
fn called(question: &Question) -> Vec<(String, String)> {
    let named = references(&Fragment::new(Shape::Query, question.sql.as_str())).into_iter();
    let called = named.filter(|r| matches!(r.space, Space::Function | Space::Other));
    // The search path is empty.
    called.map(|r| (r.schema.unwrap_or_else(|| "pg_catalog".to_owned()), r.name)).collect()
}

/// Those that are volatile, by the server's own word.
async fn acting(session: &Session, called: &[Vec<(String, String)>]) -> Result<HashSet<(String, String)>> {
    let all: HashSet<&(String, String)> = called.iter().flatten().collect();
    let (schemas, names): (Vec<&str>, Vec<&str>) = all.iter().map(|(s, n)| (s.as_str(), n.as_str())).unzip();
    let sql = "with called as (select s.oid, c.* from unnest($1::text[], $2::text[]) c (schema, name) join pg_namespace s on s.nspname = c.schema)
               select c.schema, c.name from called c join pg_proc p on p.pronamespace = c.oid and p.proname = c.name
               where p.provolatile = 'v'
               union
               select c.schema, c.name from called c join pg_operator o on o.oprnamespace = c.oid and o.oprname = c.name
               join pg_proc p on p.oid = o.oprcode where p.provolatile = 'v'";
    let rows = session.client.query(sql, &[&schemas, &names]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Whether the role may write the journal, or make it where it is not there yet.
const JOURNAL: &str = "\
select case
  when s.oid is null then has_database_privilege(current_database(), 'CREATE')
  when t.oid is null then has_schema_privilege(s.oid, 'USAGE') and has_schema_privilege(s.oid, 'CREATE')
  else has_schema_privilege(s.oid, 'USAGE') and has_table_privilege(t.oid, 'SELECT')
    and has_table_privilege(t.oid, 'INSERT') and has_table_privilege(t.oid, 'UPDATE')
end
from (select) one
left join pg_namespace s on s.nspname = 'pgplumb'
left join pg_class t on t.relnamespace = s.oid and t.relname = 'run'";

/// What the role lacks for what the plan touches: ownership of live things, CREATE in schemas, the journal.
pub async fn privileges(session: &Session, touched: &BTreeSet<Address>, input: &Input<'_>) -> Result<Vec<Finding>> {
    let mut findings = missing_roles(session, touched, input).await?;
    findings.extend(kept_from_keys(session, touched, input).await?);
    if session.superuser {
        return Ok(findings);
    }
    let mut owners: Vec<(String, Address)> = Vec::new();
    let mut schemas: Vec<Address> = Vec::new();
    for address in touched {
        let relation = kinds::relation::table_of(address).into_iter().next().unwrap_or_else(|| address.clone());
        if let Some(owner) = input.actual.get(&relation).and_then(|n| n.owner.as_deref()) {
            owners.push((owner.to_owned(), relation.clone()));
        }
        let schema = Some(address.top()).filter(|s| s != address && input.actual.get(s).is_some());
        if input.actual.get(&relation).is_none() {
            schemas.extend(schema);
        }
    }
    if !touched.is_empty() && !session.client.query_one(JOURNAL, &[]).await?.try_get::<_, bool>(0)? {
        let text = format!(
            "role {} may not write the journal there: give it the schema, or CREATE on the database once",
            session.role
        );
        findings.push(Finding { address: "schema pgplumb".into(), text, rows: None, examples: Vec::new() });
    }
    findings.extend(new_owners(session, touched, input).await?);
    findings.extend(unreferable(session, touched, input).await?);
    owners.sort();
    owners.dedup();
    schemas.sort();
    schemas.dedup();
    for (owner, address) in owners {
        let row =
            session.client.query_one("select pg_has_role(current_user, $1::text::name, 'USAGE')", &[&owner]).await?;
        if !row.try_get::<_, bool>(0)? {
            let text =
                format!("belongs to role {owner}, and {} is not a member of it: it cannot be altered", session.role);
            findings.push(Finding { address: address.to_string(), text, rows: None, examples: Vec::new() });
        }
    }
    for schema in schemas {
        let name = schema.name().to_owned();
        let row = session.client.query_one("select has_schema_privilege($1::text, 'CREATE')", &[&name]).await?;
        if !row.try_get::<_, bool>(0)? {
            let text = format!("role {} may not create anything in it", session.role);
            findings.push(Finding { address: schema.to_string(), text, rows: None, examples: Vec::new() });
        }
    }
    Ok(findings)
}

/// What is created and PostgreSQL lets only a superuser create. Providers of servers let other roles too, and no catalog
/// says so.
pub async fn withheld(session: &Session, touched: &BTreeSet<Address>, input: &Input<'_>) -> Result<Vec<String>> {
    let new = touched.iter().filter(|a| input.actual.get(a).is_none() && input.desired.get(a).is_some());
    let mut words = Vec::new();
    for address in new.filter(|_| !session.superuser) {
        let Some(sql) = kinds::kind_of(address).withheld() else { continue };
        if session.client.query_opt(sql, &[&[address.name()].as_slice()]).await?.is_some() {
            words.push(format!(
                "{address}: whether role {} may create it (PostgreSQL lets superusers, some providers others too)",
                session.role
            ));
        }
    }
    Ok(words)
}

/// New owners that the role may not hand things over to, or that may not have them where they are (manual, ALTER TABLE,
/// OWNER TO).
async fn new_owners(session: &Session, touched: &BTreeSet<Address>, input: &Input<'_>) -> Result<Vec<Finding>> {
    let sql =
        "select pg_has_role(current_user, r.oid, $3), coalesce(has_schema_privilege(r.oid, s.oid, 'CREATE'), true)
               from pg_roles r left join pg_namespace s on s.nspname = $2::text where r.rolname = $1::text";
    // Before 16, whoever was a member could.
    let way = if session.major >= 16 { "SET" } else { "MEMBER" };
    let mut findings = Vec::new();
    for node in touched.iter().filter_map(|address| input.desired.get(address)) {
        let Some(owner) = node.owner.as_deref() else { continue };
        let live = input.actual.get(&node.address).map_or(Some(session.role.as_str()), |live| live.owner.as_deref());
        if live == Some(owner) {
            continue;
        }
        let schema = if node.address.parent().is_some() { node.address.schema() } else { "" };
        let Some(row) = session.client.query_opt(sql, &[&owner, &schema, &way]).await? else { continue };
        let mut say = |text: String| {
            findings.push(Finding { address: node.address.to_string(), text, rows: None, examples: Vec::new() });
        };
        if !row.try_get::<_, bool>(0)? {
            say(format!("is to belong to role {owner}, and {} may not act as it", session.role));
        } else if !row.try_get::<_, bool>(1)? {
            say(format!("is to belong to role {owner}, which may not create anything in schema {schema}"));
        }
    }
    Ok(findings)
}

/// New owners who may not use the schema of a table with foreign keys: PostgreSQL looks into it for them as its owner.
async fn kept_from_keys(session: &Session, touched: &BTreeSet<Address>, input: &Input<'_>) -> Result<Vec<Finding>> {
    let sql = "select has_schema_privilege(r.oid, coalesce(s.oid, 0), 'USAGE')
                 or exists (select from pg_roles g where g.rolname = any ($3) and pg_has_role(r.oid, g.oid, 'USAGE'))
               from pg_roles r left join pg_namespace s on s.nspname = $2::text where r.rolname = $1::text";
    let is_new = |node: &&Node| {
        let live = input.actual.get(&node.address).and_then(|live| live.owner.as_deref());
        node.owner.is_some() && live != node.owner.as_deref()
    };
    let tables = touched.iter().filter(|address| address.kind() == "table");
    let tables: Vec<&Node> = tables.filter_map(|address| input.desired.get(address)).filter(is_new).collect();
    let keyed = if tables.is_empty() { BTreeSet::new() } else { keyed(input.desired) };
    let mut known: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    let mut findings = Vec::new();
    for node in tables.into_iter().filter(|node| keyed.contains(&node.address)) {
        let (owner, schema) = (node.owner.as_deref().unwrap_or_default(), node.address.schema());
        if !known.contains_key(&(owner, schema)) {
            let users = users(&node.address.top(), input.desired);
            let row = session.client.query_opt(sql, &[&owner, &schema, &users]).await?;
            let may = row.map(|row| row.try_get::<_, Option<bool>>(0)).transpose()?.unwrap_or(Some(true));
            known.insert((owner, schema), may == Some(true) || users.iter().any(|user| user == "public"));
        }
        if !known[&(owner, schema)] {
            let text = format!(
                "is to belong to role {owner}, which may not use schema {schema}: PostgreSQL looks for what foreign keys \
                 refer to as the owner, and would refuse rows"
            );
            findings.push(Finding { address: node.address.to_string(), text, rows: None, examples: Vec::new() });
        }
    }
    Ok(findings)
}

/// Those who may use a schema as it is declared.
fn users(schema: &Address, desired: &Model) -> Vec<String> {
    let node = desired.get(schema);
    let held = node.and_then(|node| node.grants.as_ref()).into_iter().flat_map(|grants| &grants.0);
    let granted = held.filter(|(_, held)| held.iter().any(|p| p.name == "usage")).map(|(role, _)| role.clone());
    granted.chain(node.and_then(|node| node.owner.as_deref()).map(str::to_owned)).collect()
}

/// The tables that have foreign keys or are referred to by some.
fn keyed(desired: &Model) -> BTreeSet<Address> {
    let keys = desired.nodes().iter().filter(|node| node.address.kind() == "foreign key");
    let ends = |key: &Node| {
        let referent = kinds::kind_of(&key.address).referent(key).map(|(table, _)| table);
        key.address.parent().into_iter().chain(referent)
    };
    keys.flat_map(ends).collect()
}

/// Tables that foreign keys are to refer to, and the role may not.
async fn unreferable(session: &Session, touched: &BTreeSet<Address>, input: &Input<'_>) -> Result<Vec<Finding>> {
    let sql = "select has_table_privilege(t.oid, 'REFERENCES') or has_any_column_privilege(t.oid, 'REFERENCES')
               from pg_class t join pg_namespace s on s.oid = t.relnamespace where s.nspname = $1::text and t.relname = $2::text";
    let mut findings = Vec::new();
    for node in touched.iter().filter_map(|address| input.desired.get(address)) {
        let Some((table, _)) = kinds::kind_of(&node.address).referent(node) else { continue };
        let (schema, name) = (table.schema(), table.name());
        let Some(row) = session.client.query_opt(sql, &[&schema, &name]).await? else { continue };
        if !row.try_get::<_, bool>(0)? {
            let text = format!("refers to {table}, on which {} lacks REFERENCES", session.role);
            findings.push(Finding { address: node.address.to_string(), text, rows: None, examples: Vec::new() });
        }
    }
    Ok(findings)
}

/// Roles that what is desired names and the server does not have.
async fn missing_roles(session: &Session, touched: &BTreeSet<Address>, input: &Input<'_>) -> Result<Vec<Finding>> {
    let mut named: Vec<(String, &Address)> = Vec::new();
    for address in touched {
        if let Some(node) = input.desired.get(address) {
            named.extend(kinds::roles(node).into_iter().map(|role| (role, address)));
        }
    }
    named.sort();
    named.dedup_by(|a, b| a.0 == b.0);
    let roles: Vec<&str> = named.iter().map(|(role, _)| role.as_str()).collect();
    let rows = session.client.query("select rolname::text from pg_roles where rolname = any ($1)", &[&roles]).await?;
    let known: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<std::result::Result<_, _>>()?;
    let missing = named.into_iter().filter(|(role, _)| !known.contains(role));
    Ok(missing
        .map(|(role, address)| Finding {
            address: address.to_string(),
            text: format!("names role {role}, which does not exist: pgplumb refers to roles and never creates them"),
            rows: None,
            examples: Vec::new(),
        })
        .collect())
}
