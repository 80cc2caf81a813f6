//! The loop that a case goes through. Each stage ends the case with what it found wrong.
//!
//! 1. `surroundings.sql` (what others own) and `before.sql` are built, the way to `schema.yaml` is planned: its
//!    hazards are those that are expected;
//! 2. the plan, written and read back, is applied, after which there is nothing left to plan;
//! 3. rows and values of tables and columns that stay are as before;
//! 4. pg_dump says the same as of a database that was built directly, from `after.sql` or the declaration;
//! 5. the way back leads to what pg_dump said before, with all rows, and the same plan is wanted again.

use super::expect::Expect;
use super::Case;
use crate::support::database::{allowed, Compared, Database, Rows};
use crate::support::dump::Dump;
use crate::support::server::Server;
use pgplumb::plan::Plan;
use std::path::Path;

type Checked = Result<(), String>;

pub async fn run(server: &Server, case: &Case) -> Checked {
    let expect = &case.expect;
    let file = |name: &str| std::fs::read_to_string(case.directory.join(name)).ok();
    // The lock is written beside the declaration, so that has to be a copy.
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let declaration = directory.path().join("schema.yaml");
    let yaml = file("schema.yaml").ok_or("it has no schema.yaml")?;
    std::fs::write(&declaration, yaml).map_err(|error| error.to_string())?;
    let others = file("surroundings.sql").unwrap_or_default();
    // What others own is there first, and in all databases that are compared.
    let before = format!("{others}\n{}", file("before.sql").unwrap_or_default());

    let database = server.database();
    database.psql(&before).map_err(stage("surroundings.sql and before.sql"))?;
    let dump = database.dump().map_err(stage("dumping"))?;
    let rows = database.rows().map_err(stage("reading the rows"))?;

    let planned = database.plan(&declaration).await;
    let plan = match (planned, &expect.refuses) {
        (Ok(compared), None) => check_rehearsal(compared, expect)?,
        (Err(why), Some(text)) if why.contains(text) => return Ok(()),
        (Ok(compared), Some(text)) => {
            return Err(format!("planning was to end with `{text}`:\n{}", words(&compared.plan)))
        }
        (Err(why), Some(text)) => return Err(format!("planning was to end with `{text}`: {why}")),
        (Err(why), None) => return Err(format!("planning: {why}")),
    };
    check_plan(&plan, expect)?;
    let text = allowed(plan).write().map_err(|error| error.to_string())?;
    let plan = Plan::read(&text, "plan.yaml").map_err(|error| format!("the plan file: {error}"))?;
    match (database.apply(&plan).await, &expect.fails) {
        (Ok(()), None) => {}
        (Err(why), Some(text)) if why.contains(text) => {
            if !why.contains("nothing was changed") {
                let failed = |error| format!("rolling back after a failure: {error}{}", back_words(&plan));
                database.rollback(&plan).await.map_err(failed)?;
            }
            return same(&dump, &database, &[]).map_err(stage("after a failure"));
        }
        (Ok(()), Some(text)) => return Err(format!("applying was to end with `{text}`:\n{}", words(&plan))),
        (Err(why), _) => return Err(format!("applying: {why}\n{}", words(&plan))),
    }
    let done = format!("\nafter the plan\n{}", words(&plan));
    let with_plan = |what: &'static str| move |why: String| format!("{what}: {why}");
    async {
        settled(&database, &declaration).await?;
        let now = database.rows().map_err(stage("reading the rows"))?;
        check_rows(&rows, &now, expect).map_err(with_plan("rows after apply"))?;
        check_queries(&database, expect)?;
        let reference = server.database();
        reference.psql(&others).map_err(stage("surroundings.sql"))?;
        build_reference(&reference, &declaration, file("after.sql").as_deref()).await?;
        let wanted = reference.dump().map_err(stage("dumping"))?;
        if same(&wanted, &database, &expect.except).is_err() {
            // A restored constraint may print otherwise than the one it was dumped from.
            let wanted = reference.dump_restored().map_err(stage("restoring the reference"))?;
            let found = database.dump_restored().map_err(stage("restoring the result"))?;
            equal(&wanted, &found, &expect.except).map_err(with_plan("the result is not as built directly"))?;
        }
        Ok::<(), String>(())
    }
    .await
    .map_err(|why| format!("{why}{done}"))?;
    if plan.is_empty() {
        return Ok(());
    }
    way_back(&database, &declaration, &plan, expect, (&before, &dump, &rows))
        .await
        .map_err(|why| format!("{why}{}", back_words(&plan)))
}

fn stage(name: &'static str) -> impl Fn(String) -> String {
    move |why| format!("{name}: {why}")
}

/// The plan was rehearsed, unless that is not to be; what the kinds announce is what was measured.
fn check_rehearsal(compared: Compared, expect: &Expect) -> Result<Plan, String> {
    let Compared { plan, drift: _, corrections } = compared;
    match (plan.why_not_rehearsed(), &expect.not_rehearsed) {
        (None, None) => {}
        (Some(why), Some(text)) if why.contains(text) => {}
        (why, text) => return Err(format!("not rehearsed because of {why:?}, not {text:?}:\n{}", words(&plan))),
    }
    let expected = match (&expect.measured, corrections.as_slice()) {
        (None, []) => true,
        (Some(text), [only]) => only.contains(text),
        (None, _) | (Some(_), _) => false,
    };
    if !expected {
        return Err(format!(
            "what was measured is not what was announced:\n  {}\n{}",
            corrections.join("\n  "),
            words(&plan)
        ));
    }
    Ok(plan)
}

/// The hazards that need leave, and texts of the plan.
fn check_plan(plan: &Plan, expect: &Expect) -> Checked {
    let words = words(plan);
    let mut found: Vec<String> =
        plan.not_allowed().iter().map(|a| format!("{}:{}", a.hazard.word(), a.address)).collect();
    let mut wanted = expect.hazards.clone();
    found.sort();
    wanted.sort();
    if found != wanted {
        return Err(format!("hazards are {found:?}, not {wanted:?}:\n{words}"));
    }
    if expect.nothing != plan.is_empty() {
        return Err(format!("{}\n{words}", if expect.nothing { "false drift:" } else { "nothing was planned" }));
    }
    if let Some(text) = expect.contains.iter().find(|text| !words.contains(text.as_str())) {
        return Err(format!("the plan does not contain `{text}`:\n{words}"));
    }
    match expect.lacks.iter().find(|text| words.contains(text.as_str())) {
        Some(text) => Err(format!("the plan contains `{text}`:\n{words}")),
        None => Ok(()),
    }
}

/// Nothing is left to do.
async fn settled(database: &Database<'_>, declaration: &Path) -> Checked {
    let again = database.compare(declaration).await.map_err(stage("planning again"))?;
    if !again.plan.is_empty() {
        return Err(format!("the second plan is not empty:\n{}", words(&again.plan)));
    }
    match again.drift.differences.as_slice() {
        [] => Ok(()),
        differences => Err(format!("drift after apply: {differences:#?}")),
    }
}

/// The declared state, built with nothing before it.
async fn build_reference(reference: &Database<'_>, declaration: &Path, after: Option<&str>) -> Checked {
    if let Some(sql) = after {
        return reference.psql(sql).map(drop).map_err(stage("after.sql"));
    }
    let planned = reference.compare(declaration).await.map_err(stage("planning for an empty database"))?.plan;
    let plan = allowed(planned);
    let failed = |why| format!("building from nothing: {why}\n{}", words(&plan));
    reference.apply(&plan).await.map_err(failed)
}

async fn way_back(
    database: &Database<'_>,
    declaration: &Path,
    plan: &Plan,
    expect: &Expect,
    (sql, dump, rows): (&str, &Dump, &Rows),
) -> Checked {
    let there = database.rows().map_err(stage("reading the rows"))?;
    match (database.rollback(plan).await, &expect.no_undo) {
        (Ok(()), None) => {}
        (Err(why), Some(text)) if why.contains(text) => return Ok(()),
        (Ok(()), Some(text)) => return Err(format!("the way back was to end with `{text}`")),
        (Err(why), _) => return Err(format!("rolling back: {why}")),
    }
    if same(dump, database, &expect.undo_except).is_err() {
        let original = database.server.database();
        original.psql(sql).map_err(stage("before.sql"))?;
        let wanted = original.dump_restored().map_err(stage("restoring what was before"))?;
        let found = database.dump_restored().map_err(stage("restoring what came back"))?;
        equal(&wanted, &found, &expect.undo_except).map_err(stage("the way back does not lead back"))?;
    }
    // What the plan dropped came back empty; all else has its rows.
    let lost = |name: &String| !there.contains_key(name) && !expect.renamed.contains_key(name);
    let mut before = rows.clone();
    before.retain(|name, _| !lost(name));
    let now = database.rows().map_err(stage("reading the rows"))?;
    let same_names = Expect { changed: expect.changed.clone(), ..Expect::default() };
    for (name, rows) in &mut before {
        let after = expect.renamed.get(name).unwrap_or(name);
        let kept = |column: &String| {
            let renamed = expect.renamed.contains_key(&format!("{name}.{column}"));
            renamed || there.get(after).is_none_or(|rows| rows.iter().all(|row| row.contains_key(column)))
        };
        rows.iter_mut().for_each(|row| row.retain(|column, _| kept(column)));
    }
    check_rows(&before, &now, &same_names).map_err(stage("rows after the way back"))?;
    let again = database.compare_whole(declaration).await.map_err(stage("planning after the way back"))?;
    match again.plan.is_empty() == expect.undo_agrees {
        true => Ok(()),
        false => Err(format!("after the way back this is planned:\n{}", words(&again.plan))),
    }
}

/// Whether a database's dump is as wanted.
fn same(wanted: &Dump, database: &Database<'_>, except: &[String]) -> Checked {
    equal(wanted, &database.dump()?, except)
}

fn equal(wanted: &Dump, found: &Dump, except: &[String]) -> Checked {
    let (wanted, found) = (wanted.without(except), found.without(except));
    match wanted == found {
        true => Ok(()),
        false => Err(format!("(- wanted, + found)\n{}", wanted.diff(&found))),
    }
}

/// Every table that is still there has the rows it had, in the columns that are still there.
fn check_rows(before: &Rows, after: &Rows, expect: &Expect) -> Checked {
    for (table, old) in before.iter().filter(|(table, _)| !expect.changed.contains(table)) {
        let new_name = expect.renamed.get(table).unwrap_or(table);
        let Some(new) = after.get(new_name) else {
            match expect.renamed.contains_key(table) {
                true => return Err(format!("{table} was to be renamed to {new_name}")),
                false => continue,
            }
        };
        if old.len() != new.len() {
            return Err(format!("{table} had {} rows and has {}", old.len(), new.len()));
        }
        let (Some(first), Some(other)) = (old.first(), new.first()) else { continue };
        let column_now = |column: &str| {
            let path = format!("{table}.{column}");
            let name = expect.renamed.get(&path).and_then(|now| now.rsplit('.').next()).unwrap_or(column).to_owned();
            if expect.renamed.contains_key(&path) && !other.contains_key(&name) {
                return Err(format!("{path} was to be renamed"));
            }
            Ok((column.to_owned(), name))
        };
        let pairs: Vec<(String, String)> = first.keys().map(|c| column_now(c)).collect::<Result<_, _>>()?;
        let compared = |(old, new): &&(String, String)| {
            other.contains_key(new) && !expect.changed.contains(&format!("{table}.{old}"))
        };
        let pairs: Vec<&(String, String)> = pairs.iter().filter(compared).collect();
        let mut had: Vec<String> = old.iter().map(|row| line(row, pairs.iter().map(|p| &p.0))).collect();
        let mut has: Vec<String> = new.iter().map(|row| line(row, pairs.iter().map(|p| &p.1))).collect();
        had.sort();
        has.sort();
        if had != has {
            return Err(format!("{table} had\n{}\nand has\n{}", had.join("\n"), has.join("\n")));
        }
    }
    Ok(())
}

/// The values, whatever their JSON type: a number and its text are the same value of another type.
fn line<'a>(
    row: &std::collections::BTreeMap<String, serde_json::Value>,
    columns: impl Iterator<Item = &'a String>,
) -> String {
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    columns.map(|column| row.get(column).map(text).unwrap_or_default()).collect::<Vec<_>>().join(" | ")
}

fn check_queries(database: &Database<'_>, expect: &Expect) -> Checked {
    for (query, wanted) in &expect.rows {
        let found = database.psql(&format!("begin;\n{query};\nrollback;")).map_err(|why| format!("{query}: {why}"))?;
        if found.trim() != wanted.trim() {
            return Err(format!("{query} says\n{found}and not\n{wanted}"));
        }
    }
    Ok(())
}

/// The statements and hazards of a plan.
fn words(plan: &Plan) -> String {
    batches(&plan.batches)
        + &plan.findings.iter().map(|f| format!("-- found: {}: {}\n", f.address, f.text)).collect::<String>()
}

fn batches(batches: &[pgplumb::plan::Batch]) -> String {
    let mut text = String::new();
    for (n, batch) in batches.iter().enumerate() {
        text.push_str(&format!("-- batch {}\n", n + 1));
        for step in &batch.steps {
            let hazards: Vec<String> = step.hazards.iter().map(|h| format!("{}: {}", h.hazard.word(), h.why)).collect();
            text.push_str(&format!("-- {} {} [{}]\n", step.verb, step.address, hazards.join("; ")));
            step.sql.iter().for_each(|sql| text.push_str(&format!("{sql};\n")));
        }
        if let Some(why) = &batch.no_undo {
            text.push_str(&format!("-- no way back: {why}\n"));
        }
    }
    text
}

fn back_words(plan: &Plan) -> String {
    let back: Vec<_> = plan.batches.iter().rev().flat_map(|batch| batch.undo.iter().cloned()).collect();
    format!("\nthe way back\n{}after the plan\n{}", batches(&back), words(plan))
}
