//! No false drift and no false equality, over every pair of spellings: what is declared one way and was built
//! another way is in agreement if PostgreSQL makes the same of both, and what it does not is a difference at its
//! address.
//!
//! The data are `tests/fixpoints/*.yaml`, a file for each place where expressions live. All cases of all files stand in
//! one declaration and one database, so that a pair of spellings is one comparison. Besides the spellings of a
//! case there is what the server printed, restored by `psql` from `pg_dump`, and what it printed of that.
//!
//! `CASE=text` runs only the cases whose name holds the text; with `PGPLUMB_TEST_SHORT`, not everything is declared.

mod support;

use pgplumb::compile::Place;
use pgplumb::decide;
use pgplumb::drift::Drift;
use pgplumb::engine::{self, Choices};
use pgplumb::inspect;
use pgplumb::sql::Ident;
use serde::Deserialize;
use serde_yaml::{Mapping, Value};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use support::database::Database;
use support::server::{majors, Server};

/// A file: one place where expressions live.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Site {
    /// The address of a case, as it is printed.
    at: String,
    /// What makes a case: SQL for the database, YAML for the declaration. `${name}` is the case, `${text}` the spelling,
    /// `${columns}` its columns, and what stands under `let` is known too.
    sql: String,
    declare: Value,
    /// The same, once for all cases.
    #[serde(default)]
    once: String,
    #[serde(default)]
    declare_once: Value,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    is: String,
    /// The oldest major that knows it.
    #[serde(default)]
    from: u32,
    #[serde(default)]
    columns: Mapping,
    #[serde(default, rename = "let")]
    variables: BTreeMap<String, String>,
    /// Of one meaning.
    spellings: Vec<String>,
    /// Of other meanings than those.
    #[serde(default)]
    different: Vec<String>,
}

/// A case in its place.
struct Entry<'a> {
    place: &'a Site,
    case: &'a Case,
    name: String,
}

/// Which text of each case.
#[derive(Clone, Copy)]
enum Choice {
    Spelling(usize),
    /// Where a case has that many, else its first spelling.
    Different(usize),
}

impl Entry<'_> {
    fn text(&self, choice: Choice) -> &str {
        let Case { spellings, different, .. } = self.case;
        match choice {
            Choice::Spelling(n) => &spellings[n.min(spellings.len() - 1)],
            Choice::Different(n) => different.get(n).unwrap_or(&spellings[0]),
        }
    }

    fn fill(&self, template: &str, text: &str, columns: &str) -> String {
        let variables = self.case.variables.iter();
        let filled = variables.fold(template.to_owned(), |t, (name, value)| t.replace(&format!("${{{name}}}"), value));
        filled.replace("${text}", text).replace("${columns}", columns).replace("${name}", &self.name)
    }

    fn sql(&self, choice: Choice) -> String {
        let column =
            |(name, ty): (&Value, &Value)| format!("{} {}", Ident(name.as_str().unwrap()), ty.as_str().unwrap());
        let columns: Vec<String> = self.case.columns.iter().map(column).collect();
        self.fill(&self.place.sql, self.text(choice), &columns.join(", "))
    }

    fn declaration(&self, choice: Choice) -> Value {
        self.fill_all(&self.place.declare, self.text(choice))
    }

    fn fill_all(&self, value: &Value, text: &str) -> Value {
        match value {
            Value::String(template) if template == "${columns}" => Value::Mapping(self.case.columns.clone()),
            Value::String(template) => Value::String(self.fill(template, text, "")),
            Value::Sequence(values) => Value::Sequence(values.iter().map(|v| self.fill_all(v, text)).collect()),
            Value::Mapping(map) => {
                let mut filled = Mapping::new();
                for (key, value) in map {
                    match (self.fill_all(key, text), self.fill_all(value, text)) {
                        // `${columns}: ''` puts the columns beside others.
                        (Value::Mapping(columns), _) => filled.extend(columns),
                        (key, value) => drop(filled.insert(key, value)),
                    }
                }
                Value::Mapping(filled)
            }
            other => other.clone(),
        }
    }

    fn at(&self) -> String {
        self.fill(&self.place.at, "", "")
    }
}

fn places() -> Vec<(String, Site)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixpoints");
    let mut files: Vec<PathBuf> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let place = serde_yaml::from_str(&std::fs::read_to_string(&path).unwrap());
        (name, place.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    };
    files.into_iter().map(read).collect()
}

fn entries(places: &[(String, Site)], major: u32) -> Vec<Entry<'_>> {
    let wanted = std::env::var("CASE").unwrap_or_default();
    let mut entries = Vec::new();
    for (file, place) in places {
        for (n, case) in place.cases.iter().enumerate().filter(|(_, case)| case.from <= major) {
            let name = format!("{file}_{n}");
            if format!("{name} {}", case.is).contains(&wanted) {
                entries.push(Entry { place, case, name });
            }
        }
    }
    entries
}

/// One database or declaration that holds all cases.
struct Corpus<'a> {
    places: &'a [(String, Site)],
    entries: Vec<Entry<'a>>,
}

const SCHEMAS: &str = "create schema app; create schema lib; set search_path = app, lib, public;\n";

impl Corpus<'_> {
    fn database<'s>(&self, server: &'s Server, choice: Choice) -> Database<'s> {
        let database = server.database();
        let once = self.places.iter().map(|(_, place)| format!("{}\n", place.once));
        let each = self.entries.iter().map(|entry| format!("{}\n", entry.sql(choice)));
        let script: String = std::iter::once(SCHEMAS.to_owned()).chain(once).chain(each).collect();
        database.psql(&script).unwrap_or_else(|error| panic!("{error}"));
        database
    }

    fn declaration(&self, choice: Choice) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let mut head = Mapping::new();
        head.insert("pgplumb".into(), 1.into());
        head.insert("schemas".into(), vec!["app", "lib"].into());
        let once = self.places.iter().map(|(file, place)| (format!("once_{file}"), place.declare_once.clone()));
        let each = self.entries.iter().map(|entry| (entry.name.clone(), entry.declaration(choice)));
        for (name, mut value) in once.chain(each).filter(|(_, value)| !value.is_null()) {
            if let Value::Mapping(map) = &mut value {
                map.extend(head.clone());
            }
            std::fs::write(directory.path().join(format!("{name}.yaml")), serde_yaml::to_string(&value).unwrap())
                .unwrap();
        }
        directory
    }
}

async fn inspected(database: &Database<'_>) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let session = engine::open(&database.target()).await.unwrap();
    let inspection = inspect::read(&session, &["app".to_owned(), "lib".to_owned()]).await.unwrap();
    inspect::store(directory.path(), &inspection.document(false).files(), true).unwrap();
    directory
}

fn restored<'s>(database: &Database<'s>) -> Database<'s> {
    let copy = database.server.database();
    let text = database.server.pg_dump(&database.name).unwrap();
    // A dump without data leaves materialized views as they are created.
    let fill = "select format('refresh materialized view %I.%I;', schemaname, matviewname) from pg_matviews";
    copy.psql(&text).unwrap_or_else(|error| panic!("{error}"));
    let refresh = copy.psql(fill).and_then(|statements| copy.psql(&statements));
    refresh.unwrap_or_else(|error| panic!("{error}"));
    copy
}

/// What a comparison said: addresses that differ, those that are undecided, and how many things were in doubt.
struct Said {
    different: BTreeMap<String, String>,
    undecided: Vec<String>,
    in_doubt: usize,
}

fn choices<'a>(server: &Server, declaration: &Path, locked: bool, progress: &'a dyn Fn(&str)) -> Choices<'a> {
    let scratch = Place::Server(Box::new(server.target("postgres")));
    Choices { declaration: declaration.to_owned(), scratch, target: None, locked, env: &|_| None, progress }
}

async fn compile(server: &Server, declaration: &Path) {
    let compiled = engine::compile(&choices(server, declaration, false, &|_| {}), &[server.major], true).await;
    compiled.unwrap_or_else(|error| panic!("{error}"));
}

/// Compares as `drift --locked` does, so that nothing is remembered from one pair to the next.
async fn compare(database: &Database<'_>, declaration: &Path) -> Said {
    let in_doubt = Cell::new(0);
    let progress = |text: &str| {
        let number =
            text.strip_prefix("expressions that are written otherwise: ").and_then(|rest| rest.split(';').next());
        in_doubt.set(number.map_or(in_doubt.get(), |number| number.parse().unwrap()));
    };
    let choices = choices(database.server, declaration, true, &progress);
    let session = Arc::new(engine::open(&database.target()).await.unwrap());
    let (mut desired, mut live) =
        engine::both(&choices, &session, false).await.unwrap_or_else(|error| panic!("{error}"));
    let undecided = decide::drift(&choices, &session, &mut desired, &mut live).await;
    let undecided = undecided.unwrap_or_else(|error| panic!("{error}"));
    let drift = Drift::of(&live, &desired.model, &undecided, session.major);
    let texts = |d: &pgplumb::drift::Difference| {
        let field = |f: &pgplumb::drift::Field| format!("{}: declared {:?}, live {:?}", f.name, f.declared, f.live);
        d.fields.iter().map(field).collect::<Vec<_>>().join("; ")
    };
    Said {
        different: drift.differences.iter().map(|d| (d.address.to_string(), texts(d))).collect(),
        undecided: undecided.iter().map(|u| format!("{}: {}", u.address, u.why)).collect(),
        in_doubt: in_doubt.get(),
    }
}

/// Workers: each comparison keeps a client or a server process busy in turn.
const WORKERS: usize = 3;

/// Does something with each of a list, several at a time; gives all failures.
fn each<T: Sync>(list: &[T], work: impl AsyncFn(&T) -> Vec<String> + Sync) -> Vec<String> {
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                while let Some(item) = list.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = runtime.block_on(work(item));
                    failures.lock().unwrap().extend(found);
                }
            });
        }
    });
    failures.into_inner().unwrap()
}

#[test]
fn spellings_of_one_meaning_agree_and_others_differ() {
    let places = places();
    for major in majors() {
        let failures = run(&places, major);
        let some: Vec<&str> = failures.iter().take(60).map(String::as_str).collect();
        assert!(some.is_empty(), "PostgreSQL {major}: {} failures\n{}", failures.len(), some.join("\n"));
    }
}

fn run(places: &[(String, Site)], major: u32) -> BTreeSet<String> {
    let server = Server::start(major);
    let corpus = Corpus { places, entries: entries(places, major) };
    let count = |of: fn(&Case) -> usize| corpus.entries.iter().map(|e| of(e.case)).max().unwrap_or(0);
    let (spellings, others) = (count(|case| case.spellings.len()), count(|case| case.different.len()));

    let spelled = |n: usize| (format!("spelling {n}"), corpus.database(&server, Choice::Spelling(n)));
    let mut built: Vec<(String, Database)> = (0..spellings).map(spelled).collect();
    let once = restored(&built[0].1);
    let twice = restored(&once);
    built.push(("the print of spelling 0".to_owned(), once));
    built.push(("that print's print".to_owned(), twice));
    let mut declared: Vec<(String, tempfile::TempDir)> =
        (0..spellings).map(|n| (format!("spelling {n}"), corpus.declaration(Choice::Spelling(n)))).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (built_as, database) in [&built[0], &built[spellings], &built[spellings + 1]] {
        declared.push((format!("what is printed of {built_as}"), runtime.block_on(inspected(database))));
    }
    if std::env::var_os("PGPLUMB_TEST_SHORT").is_some() {
        // One that was written, one that is a fixpoint.
        declared.drain(1..declared.len() - 1);
    }

    let in_doubt = AtomicUsize::new(0);
    let mut failures = each(&declared, async |(declared_as, directory)| {
        let mut failures = Vec::new();
        compile(&server, directory.path()).await;
        for (built_as, database) in &built {
            let said = compare(database, directory.path()).await;
            in_doubt.fetch_add(said.in_doubt, Ordering::Relaxed);
            let pair = format!("declared as {declared_as}, built as {built_as}");
            failures.extend(said.undecided.into_iter().map(|what| format!("{pair}: undecided: {what}")));
            failures.extend(said.different.into_iter().map(|(at, what)| format!("{pair}: {at}: {what}")));
        }
        failures
    });
    let in_doubt = in_doubt.into_inner();
    println!("PostgreSQL {major}: {} cases, {in_doubt} doubts decided", corpus.entries.len());
    if std::env::var_os("CASE").is_none() {
        assert!(corpus.entries.len() >= 300 && in_doubt > 0, "the cases do not show what they are there for");
    }

    let others: Vec<usize> = (0..others).collect();
    failures.extend(each(&others, async |n| {
        let database = corpus.database(&server, Choice::Different(*n));
        let meant = corpus.entries.iter().filter_map(|e| Some((e.at(), e.case.different.get(*n)?.as_str())));
        let meant: BTreeMap<String, &str> = meant.collect();
        let (declared_as, directory) = &declared[n % declared.len()];
        let said = compare(&database, directory.path()).await;
        let pair = format!("declared as {declared_as}, built as different {n}");
        let equal = meant.iter().filter(|(at, _)| !said.different.contains_key(*at));
        let mut failures: Vec<String> =
            equal.map(|(at, text)| format!("{pair}: {at} is taken for equal: {text}")).collect();
        failures.extend(said.undecided.into_iter().map(|what| format!("{pair}: undecided: {what}")));
        let beside = said.different.into_iter().filter(|(at, _)| !meant.contains_key(at));
        failures.extend(beside.map(|(at, what)| format!("{pair}: {at}: {what}")));
        failures
    }));
    failures.into_iter().collect()
}
