//! Preflight: what the data say against a plan, asked before anybody reviews it.

use super::batch::Input;
use super::relabel::{relabelled, relabels};
use super::rename::{renames, under_old_names, Rename};
use super::Finding;
use crate::catalog::Session;
use crate::diff::{diff, reworded, same_spec, Delta};
use crate::error::{Error, Result};
use crate::kinds::{self, Question, Relabel, Scope};
use crate::model::{Address, Model};
use crate::sql::{qualified, references, Fragment, Ident, Shape, Space};
use std::borrow::Cow;
use std::collections::HashSet;

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
