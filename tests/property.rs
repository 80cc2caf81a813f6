//! The property that everything rests on, over random schemas with rows inside, on real servers:
//! whatever A and B are, the plan from A to B leads to B, a second plan is empty, no row and no value is lost,
//! reference rows are as declared, and the same holds on the way back. Whether it is B, `pg_dump` says, of a database
//! that `psql` built from B's DDL.
//!
//! `PGPLUMB_PAIRS` is the number of pairs per major, `PGPLUMB_SEED` the first seed; with `PGPLUMB_REHEARSE`, each
//! plan is rehearsed too. What fails is made smaller before it is shown.

mod support;

use pgplumb::{engine, inspect, kinds};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;
use std::time::Instant;
use support::database::{allowed, Compared, Database, Rows, Types};
use support::dump::Dump;
use support::generate::{mutate, random, references, roles_sql, rows, shrink_pair, sql, Reference, Rng, Schema};
use support::server::{majors, Server};

/// Pairs per major in the ordinary and in the shorter suite.
const PAIRS: u64 = 100;
const PAIRS_SHORT: u64 = 50;
/// Threads that work on pairs.
const WORKERS: usize = 3;
/// Attempts to make a failing pair smaller.
const SHRINKS: usize = 40;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn any_schema_leads_to_any_other_and_back() {
    let short = std::env::var_os("PGPLUMB_TEST_SHORT").is_some();
    let pairs = number("PGPLUMB_PAIRS").unwrap_or(if short { PAIRS_SHORT } else { PAIRS });
    let first = number("PGPLUMB_SEED").unwrap_or(1);
    for major in majors() {
        let server = Server::start(major);
        server.psql("postgres", &roles_sql()).expect("roles");
        let next = AtomicU64::new(first);
        let failures: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let seen: Mutex<BTreeSet<String>> = Mutex::default();
        let started = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + pairs || !failures.lock().expect("no panic").is_empty() {
                        return;
                    }
                    let (a, b) = pair(seed, major);
                    let outcome = journey(&server, &a, &b).map(|kinds| seen.lock().expect("no panic").extend(kinds));
                    println!("PostgreSQL {major}, seed {seed}: {:.0} s", started.elapsed().as_secs_f64());
                    if let Err(why) = outcome {
                        println!(
                            "fails, looking for a smaller pair: {}",
                            why.lines().take(30).collect::<Vec<_>>().join("\n")
                        );
                        let text = smallest(&server, seed, a, b, why);
                        failures.lock().expect("no panic").push(text);
                    }
                });
            }
        });
        let failures = failures.into_inner().expect("no panic");
        assert!(failures.is_empty(), "{}", failures.join("\n\n"));
        let seen = seen.into_inner().expect("no panic");
        // Stand-ins belong to others.
        let ours = kinds::KINDS.iter().filter(|kind| kind.catalog().is_some() || kind.name() == "row");
        let never = ours.map(|kind| kind.name()).filter(|name| !seen.contains(*name));
        let never: Vec<&str> = never.collect();
        // A few pairs, asked for by hand, need not hold everything.
        assert!(pairs < PAIRS_SHORT || never.is_empty(), "PostgreSQL {major}: no pair held {}", never.join(", "));
        println!("PostgreSQL {major}: {pairs} pairs there and back in {:.0} s", started.elapsed().as_secs_f64());
    }
}

fn pair(seed: u64, major: u32) -> (Schema, Schema) {
    let mut rng = Rng::new(seed.wrapping_mul(0x9e37_79b9).wrapping_add(u64::from(major)));
    let size = 1 + usize::try_from(seed % 4).unwrap_or(0);
    let a = random(&mut rng, major, size);
    let b = mutate(&a, &mut rng);
    (a, b)
}

/// A smaller pair that fails in the same way, as a script to try by hand.
fn smallest(server: &Server, seed: u64, a: Schema, b: Schema, why: String) -> String {
    let (mut a, mut b, mut why) = (a, b, why);
    let stage = |text: &str| text.split(':').next().unwrap_or_default().to_owned();
    let mut left = SHRINKS;
    'smaller: while left > 0 {
        for (c, d) in shrink_pair(&a, &b) {
            left = left.saturating_sub(1);
            if left == 0 {
                break 'smaller;
            }
            if let Err(again) = journey(server, &c, &d) {
                if stage(&again) == stage(&why) {
                    (a, b, why) = (c, d, again);
                    continue 'smaller;
                }
            }
        }
        break;
    }
    let major = server.major;
    format!("seed {seed}, PostgreSQL {major}: {why}\n--- A\n{}\n--- B\n{}", sql(&a, major), sql(&b, major))
}

/// What a database that `psql` built says of itself.
struct Wanted {
    declaration: PathBuf,
    dump: String,
    with_public: bool,
    kinds: BTreeSet<String>,
    references: Vec<Reference>,
    labels: Labels,
}

impl Wanted {
    async fn of(database: &Database<'_>, declaration: PathBuf) -> Result<Self, String> {
        let kinds = write(database, &declaration).await.map_err(|e| format!("inspect: {e}"))?;
        let (dump, with_public) = (database.server.pg_dump(&database.name)?, database.has_public()?);
        Ok(Self { declaration, dump, with_public, kinds, references: Vec::new(), labels: Labels::new() })
    }
}

impl Wanted {
    /// Writes the reference rows into the declaration.
    fn declare_references(&mut self) -> Result<(), String> {
        let words = |error: &dyn std::fmt::Display| error.to_string();
        let files = std::fs::read_dir(self.declaration.join("tables")).into_iter().flatten().flatten();
        for file in files {
            let text = std::fs::read_to_string(file.path()).map_err(|e| words(&e))?;
            let mut yaml: serde_yaml::Value = serde_yaml::from_str(&text).map_err(|e| words(&e))?;
            let Some(tables) = yaml.get_mut("tables").and_then(serde_yaml::Value::as_mapping_mut) else { continue };
            for (name, table) in tables.iter_mut() {
                let (schema, name) =
                    pgplumb::sql::name::split(name.as_str().unwrap_or_default()).ok_or("a table's name")?;
                let is_of = |row: &&Reference| {
                    row.table.name == name && schema.as_ref().is_none_or(|schema| *schema == row.table.schema)
                };
                let rows: Vec<_> = self.references.iter().filter(is_of).map(as_yaml).collect();
                if let (Some(table), false) = (table.as_mapping_mut(), rows.is_empty()) {
                    table.insert("rows".into(), rows.into());
                    self.kinds.insert("row".into());
                }
            }
            std::fs::write(file.path(), serde_yaml::to_string(&yaml).map_err(|e| words(&e))?).map_err(|e| words(&e))?;
        }
        Ok(())
    }
}

impl Wanted {
    /// Writes into the declaration what became of labels.
    fn declare_labels(&mut self, labels: Labels) -> Result<(), String> {
        let words = |error: &dyn std::fmt::Display| error.to_string();
        if labels.is_empty() {
            return Ok(());
        }
        let file = self.declaration.join("enums.yaml");
        let text = std::fs::read_to_string(&file).map_err(|e| words(&e))?;
        let mut yaml: serde_yaml::Value = serde_yaml::from_str(&text).map_err(|e| words(&e))?;
        let enums = yaml.get_mut("enums").and_then(serde_yaml::Value::as_mapping_mut).ok_or("no enums")?;
        for (name, one) in enums.iter_mut() {
            let (schema, name) =
                pgplumb::sql::name::split(name.as_str().unwrap_or_default()).ok_or("an enum's name")?;
            let Some(convert) = labels.get(&(schema.unwrap_or_else(|| "public".into()), name)) else { continue };
            let convert: serde_yaml::Mapping =
                convert.iter().map(|(from, to)| (from.as_str().into(), to.as_str().into())).collect();
            if let Some(values) = one.as_sequence().cloned() {
                *one = serde_yaml::Mapping::from_iter([("values".into(), values.into())]).into();
            }
            one.as_mapping_mut().ok_or("an enum's form")?.insert("convert".into(), convert.into());
        }
        std::fs::write(&file, serde_yaml::to_string(&yaml).map_err(|e| words(&e))?).map_err(|e| words(&e))?;
        self.labels = labels;
        Ok(())
    }
}

/// By the schema and the name of an enum: labels that the other side has, and what they are called on this one.
type Labels = BTreeMap<(String, String), BTreeMap<String, String>>;

/// What becomes of labels from A to B, and on the way back.
fn labels(a: &Schema, b: &Schema) -> (Labels, Labels) {
    let (mut there, mut back) = (Labels::new(), Labels::new());
    for one in &b.enums {
        let Some(before) = a.enumeration(&one.name) else { continue };
        let name = (one.name.schema.clone(), one.name.name.clone());
        for (old, new) in
            one.renamed.iter().filter(|(old, new)| before.labels.contains(old) && one.labels.contains(new))
        {
            there.entry(name.clone()).or_default().insert(old.clone(), new.clone());
            back.entry(name.clone()).or_default().insert(new.clone(), old.clone());
        }
    }
    (there, back)
}

/// A row as a map from column to the text of its value.
fn as_yaml(row: &Reference) -> serde_yaml::Value {
    let text = |sql: &str| match sql.strip_prefix('\'').and_then(|sql| sql.strip_suffix('\'')) {
        Some(inner) => inner.replace("''", "'"),
        None => sql.to_owned(),
    };
    let map: serde_yaml::Mapping =
        row.values().map(|(column, sql)| (column.as_str().into(), text(sql).into())).collect();
    map.into()
}

/// A to B and back to A; the kinds of all that was there.
fn journey(server: &Server, a: &Schema, b: &Schema) -> Result<BTreeSet<String>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let directory = tempfile::tempdir().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let live = server.database();
        live.psql(&sql(a, server.major)).map_err(|e| format!("generator A: {e}"))?;
        let mut wanted_a = Wanted::of(&live, directory.path().join("a")).await.map_err(|e| format!("A: {e}"))?;
        live.psql(&rows(a)).map_err(|e| format!("generator rows: {e}"))?;
        let other = server.database();
        other.psql(&sql(b, server.major)).map_err(|e| format!("generator B: {e}"))?;
        let mut wanted_b = Wanted::of(&other, directory.path().join("b")).await.map_err(|e| format!("B: {e}"))?;
        wanted_b.references = references(a, b, &mut Rng::new(a.tables.len() as u64));
        wanted_b.declare_references().map_err(|e| format!("rows of B: {e}"))?;
        let (there, back) = labels(a, b);
        wanted_b.declare_labels(there).map_err(|e| format!("labels of B: {e}"))?;
        wanted_a.declare_labels(back).map_err(|e| format!("labels of A: {e}"))?;
        drop(other);
        leg(&live, &wanted_b).await.map_err(|e| format!("to b: {e}"))?;
        match leg(&live, &wanted_a).await {
            // Rows may forbid the way back: what was dropped comes back without its values. Nothing else may fail.
            Err(why) if is_refused_by_rows(&why) => {}
            outcome => outcome.map_err(|e| format!("to a: {e}"))?,
        }
        Ok(wanted_a.kinds.into_iter().chain(wanted_b.kinds).collect())
    })
}

/// Writes the declaration of a database; the kinds of what is in it.
async fn write(database: &Database<'_>, directory: &Path) -> Result<BTreeSet<String>, String> {
    let words = |error: pgplumb::error::Error| error.to_string();
    let session = engine::open(&database.target()).await.map_err(words)?;
    let inspection = inspect::read(&session, &[]).await.map_err(words)?;
    inspect::store(directory, &inspection.document(true).files(), true).map_err(words)?;
    Ok(inspection.model.nodes().iter().map(|node| node.address.kind().to_owned()).collect())
}

async fn leg(live: &Database<'_>, wanted: &Wanted) -> Result<(), String> {
    let declaration = &wanted.declaration;
    let (before, types) = (live.rows()?, live.types()?);
    let compared = match std::env::var_os("PGPLUMB_REHEARSE") {
        Some(_) => live.plan(declaration).await.and_then(rehearsed),
        None => live.compare_whole(declaration).await,
    };
    let plan = compared.map_err(|e| format!("plan: {e}"))?.plan;
    if plan.findings.iter().any(|f| f.rows.is_some()) {
        // The rows do not allow it, as when a column that was dropped comes back NOT NULL: the plan says so.
        return live
            .apply(&allowed(plan))
            .await
            .err()
            .map(drop)
            .ok_or_else(|| "preflight: found rows that did no harm".to_owned());
    }
    let plan = allowed(plan);
    let script = || plan.steps().flat_map(|s| s.sql.clone()).collect::<Vec<_>>().join(";\n");
    live.apply(&plan).await.map_err(|e| format!("apply: {e}\n{}", script()))?;
    let second = live.compare(declaration).await.map_err(|e| format!("second plan: {e}"))?.plan;
    if !second.is_empty() {
        let left = second.steps().flat_map(|s| s.sql.clone()).collect::<Vec<_>>().join(";\n");
        return Err(format!("does not converge: left\n{left}\nafter\n{}", script()));
    }
    if live.dump()? != Dump::of(&wanted.dump) {
        let theirs = live.server.dump_restored(&wanted.dump, wanted.with_public)?;
        let mine = live.dump_restored()?;
        if mine != theirs {
            return Err(format!("pg_dump: differs\n{}\nafter\n{}", theirs.diff(&mine), script()));
        }
    }
    let dropped = plan.steps().filter(|s| s.verb == "drop" && s.at.contains("/table "));
    let dropped: Vec<String> = dropped.filter(|s| s.address.starts_with("table ")).map(|s| s.sql.join(";")).collect();
    for row in &wanted.references {
        let found = live.psql(&row.question())?;
        if found.trim() != "1" {
            return Err(format!("reference row: {row:?} is there {} times", found.trim()));
        }
    }
    let rows = live.rows()?;
    survives(&before, &rows, &dropped)?;
    let (kept, declared) = (kept(&types, &live.types()?), &wanted.references);
    values_survive(&before, &rows, &kept, &Said { declared, labels: &wanted.labels })
}

/// A plan that was rehearsed, in which nothing had to be corrected.
fn rehearsed(compared: Compared) -> Result<Compared, String> {
    match (compared.plan.why_not_rehearsed(), compared.corrections.as_slice()) {
        (None, []) => Ok(compared),
        (Some(why), _) => Err(format!("not rehearsed: {why}")),
        (None, corrections) => Err(format!("announced otherwise than measured: {}", corrections.join("; "))),
    }
}

/// A violated constraint (SQLSTATE class 23), after which nothing of the transaction stayed.
fn is_refused_by_rows(why: &str) -> bool {
    let first = why.lines().next().unwrap_or_default();
    first.starts_with("apply: ")
        && ["(23502)", "(23503)", "(23505)", "(23514)", "(23P01)"].iter().any(|code| first.contains(code))
}

/// Every table that was not dropped by name has the rows it had.
fn survives(before: &Rows, after: &Rows, dropped: &[String]) -> Result<(), String> {
    for (table, rows) in before {
        match after.get(table) {
            Some(now) if now.len() == rows.len() => {}
            Some(now) => return Err(format!("rows: {table} had {} rows, has {}", rows.len(), now.len())),
            None if dropped.iter().any(|sql| sql.starts_with("DROP TABLE")) => {}
            None => return Err(format!("rows: {table} is gone")),
        }
    }
    Ok(())
}

/// Columns that are on both sides what they were: by table and name.
fn kept(before: &Types, after: &Types) -> BTreeSet<(String, String)> {
    before.iter().filter(|(column, kind)| after.get(*column) == Some(kind)).map(|(column, _)| column.clone()).collect()
}

/// What a declaration says of rows that are there.
struct Said<'a> {
    declared: &'a [Reference],
    labels: &'a Labels,
}

/// A value with labels by their new names; those are like no other text.
fn under_new_labels(value: &serde_json::Value, labels: &Labels) -> serde_json::Value {
    match value {
        serde_json::Value::String(text) => {
            let new = labels.values().find_map(|labels| labels.get(text)).unwrap_or(text);
            new.as_str().into()
        }
        serde_json::Value::Array(values) => values.iter().map(|value| under_new_labels(value, labels)).collect(),
        other => other.clone(),
    }
}

/// Every column that is what it was holds the values that it held, but for what reference rows say.
fn values_survive(before: &Rows, after: &Rows, kept: &BTreeSet<(String, String)>, said: &Said) -> Result<(), String> {
    for (table, rows) in before {
        let of_references: BTreeSet<&String> = said
            .declared
            .iter()
            .filter(|row| row.is_of(table))
            .flat_map(|row| row.others.iter().map(|(column, _)| column))
            .collect();
        let columns = kept.iter().filter(|(of, column)| of == table && !of_references.contains(column));
        for (_, column) in columns {
            let [held, holds] = [rows, after.get(table).unwrap_or(rows)].map(|rows| {
                let of = |value: Option<&serde_json::Value>| value.map(|value| under_new_labels(value, said.labels));
                let mut values: Vec<String> = rows.iter().map(|row| format!("{:?}", of(row.get(column)))).collect();
                values.sort();
                values
            });
            if held != holds {
                return Err(format!("values: {table}.{column} held {held:?}, holds {holds:?}"));
            }
        }
    }
    Ok(())
}
