//! No false drift and none overlooked: live databases that agree with their declaration are changed by plain SQL, one
//! change at a time, and what drift reports has to be just that change.
//!
//! The changes are data: `tests/mutation/*.sql` holds one query per class of changes. It reads the catalog of a live
//! database and gives, for each change that could be made there, its SQL, the SQL that takes it back (or null: then a
//! fresh copy of the database is taken), and what has to be reported, worked out without the program:
//! `missing ADDRESS`, `extra ADDRESS`, `changed[fields] ADDRESS` and, for what is no difference, `noted TEXT`.
//!
//! `PGPLUMB_MUTATIONS` is the number of changes per major, `PGPLUMB_SEED` chooses them.

mod support;

use pgplumb::compile::Place;
use pgplumb::drift::Drift;
use pgplumb::engine::{self, Choices};
use pgplumb::inspect;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;
use support::database::Database;
use support::generate::{random, roles_sql, rows, sql, Rng};
use support::server::{majors, Server};

/// Changes per major in the ordinary and in the shorter suite.
const MUTATIONS: usize = 190;
const MUTATIONS_SHORT: usize = 40;
/// Threads that work on them, each on copies of its own.
const WORKERS: usize = 2;
/// The systems in `schema/`.
const SYSTEMS: [&str; 4] = ["enpyco", "iafactory", "q2o", "vital"];
/// A database with every kind and every option in it.
const HOSTILE: &str = include_str!("inspect/hostile.sql");
/// Random schemas beside these.
const GENERATED: u64 = 2;

/// What one query describes.
struct Class {
    name: String,
    /// The first major that knows of it.
    from: u32,
    query: String,
}

/// A change that can be made.
#[derive(serde::Deserialize)]
struct Mutation {
    class: usize,
    #[serde(default)]
    subject: usize,
    sql: String,
    undo: Option<String>,
    expected: BTreeSet<String>,
}

/// A database that agrees with its declaration. Changes are made in copies of it.
struct Subject<'a> {
    name: String,
    database: Database<'a>,
    declaration: PathBuf,
    /// Whether owners and grants are declared throughout.
    managed: bool,
    /// What is noted before anything was changed.
    noted: BTreeSet<String>,
}

#[test]
fn drift_is_what_was_changed_and_nothing_else() {
    let number = |variable: &str| std::env::var(variable).ok().and_then(|text| text.parse::<u64>().ok());
    let short = std::env::var_os("PGPLUMB_TEST_SHORT").is_some();
    let usual = if short { MUTATIONS_SHORT } else { MUTATIONS };
    let count = number("PGPLUMB_MUTATIONS").and_then(|n| n.try_into().ok()).unwrap_or(usual);
    let seed = number("PGPLUMB_SEED").unwrap_or(1);
    let classes = classes();
    for major in majors() {
        let started = Instant::now();
        let server = Server::start(major);
        server.psql("postgres", &roles_sql()).expect("roles");
        let work = tempfile::tempdir().expect("a directory");
        let subjects = subjects(&server, work.path(), seed);
        let ready = started.elapsed();
        let made = run(&server, &classes, &subjects, count, seed);
        if count >= classes.len() {
            let vector = server.has_extension("vector");
            let never: Vec<&str> = classes
                .iter()
                .filter(|class| class.from <= major && (vector || !class.name.starts_with("extension ")))
                .map(|class| class.name.as_str())
                .filter(|name| !made.contains_key(name))
                .collect();
            assert!(never.is_empty(), "PostgreSQL {major}, seed {seed}: never made: {}", never.join(", "));
        }
        println!(
            "PostgreSQL {major}, seed {seed}: {} changes of {} classes, {} databases made in {:.1} s, {:.1} s in all",
            made.values().sum::<usize>(),
            made.len(),
            subjects.len(),
            ready.as_secs_f64(),
            started.elapsed().as_secs_f64()
        );
    }
}

/// Makes so many changes, each class in turn; gives how many were made of which class.
fn run<'c>(
    server: &Server,
    classes: &'c [Class],
    subjects: &[Subject],
    count: usize,
    seed: u64,
) -> BTreeMap<&'c str, usize> {
    let mut rng = Rng::new(seed.wrapping_add(u64::from(server.major)));
    let mut possible: Vec<Vec<Mutation>> = classes.iter().map(|_| Vec::new()).collect();
    for (at, subject) in subjects.iter().enumerate() {
        for mutation in subject.mutations(classes, server.major) {
            possible[mutation.class].push(Mutation { subject: at, ..mutation });
        }
    }
    possible.iter_mut().for_each(|mutations| shuffle(mutations, &mut rng));
    shuffle(&mut possible, &mut rng);
    let possible = Mutex::new((possible, 0usize, count));
    let made = Mutex::new(BTreeMap::new());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let mut copies = BTreeMap::new();
                while let Some(mutation) = next(&possible) {
                    match subjects[mutation.subject].attempt(&mutation, &mut copies) {
                        Ok(true) => {
                            *made
                                .lock()
                                .expect("no panic")
                                .entry(classes[mutation.class].name.as_str())
                                .or_default() += 1;
                        }
                        // The server refuses it: another one is taken.
                        Ok(false) => possible.lock().expect("no panic").2 += 1,
                        Err(why) => wrong.lock().expect("no panic").push(format!(
                            "{} in {}:\n{}\n{why}",
                            classes[mutation.class].name, subjects[mutation.subject].name, mutation.sql
                        )),
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    assert!(
        wrong.is_empty(),
        "PostgreSQL {}, seed {seed}: {} wrong\n\n{}",
        server.major,
        wrong.len(),
        wrong.join("\n\n")
    );
    made.into_inner().expect("no panic")
}

/// The next change, one of each class in turn, until enough were given.
fn next(possible: &Mutex<(Vec<Vec<Mutation>>, usize, usize)>) -> Option<Mutation> {
    let mut possible = possible.lock().expect("no panic");
    let (classes, turn, left) = &mut *possible;
    *left = left.checked_sub(1)?;
    for _ in 0..classes.len() {
        let at = *turn % classes.len();
        *turn += 1;
        if let Some(mutation) = classes[at].pop() {
            return Some(mutation);
        }
    }
    None
}

fn shuffle<T>(list: &mut [T], rng: &mut Rng) {
    for at in (1..list.len()).rev() {
        list.swap(at, rng.below(at + 1));
    }
}

/// The classes in `tests/mutation`. A class begins with `-- class: name`, or `-- class: name (18)` if only
/// servers from there on know of it.
fn classes() -> Vec<Class> {
    let mut classes: Vec<Class> = Vec::new();
    for file in files() {
        let text = std::fs::read_to_string(&file).expect("a file");
        for part in text.split("-- class: ").skip(1) {
            let (title, query) = part.split_once('\n').expect("a query");
            let (name, from) = match title.strip_suffix(')').and_then(|title| title.rsplit_once(" (")) {
                Some((name, from)) => (name, from.parse().expect("a major")),
                None => (title, 0),
            };
            classes.push(Class { name: name.to_owned(), from, query: query.trim().to_owned() });
        }
    }
    let names: BTreeSet<&str> = classes.iter().map(|class| class.name.as_str()).collect();
    assert_eq!(names.len(), classes.len(), "two classes of one name");
    classes
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mutation")
}

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory()).expect("the classes").flatten();
    let mut files: Vec<PathBuf> = entries.map(|e| e.path()).filter(|path| !path.ends_with("prelude.sql")).collect();
    files.sort();
    files
}

fn subjects<'a>(server: &'a Server, work: &Path, seed: u64) -> Vec<Subject<'a>> {
    let mut subjects = Vec::new();
    for system in SYSTEMS.iter().filter(|system| **system != "enpyco" || server.has_extension("vector")) {
        let declaration = work.join(system);
        std::fs::create_dir(&declaration).expect("a directory");
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema").join(system);
        for entry in std::fs::read_dir(from).expect("the declaration").flatten() {
            std::fs::copy(entry.path(), declaration.join(entry.file_name())).expect("a copy");
        }
        subjects.push(Subject::new(server, system, declaration, false, ""));
    }
    let mut adopted = |name: String, script: &str, rows: &str| {
        let source = server.database();
        source.psql(script).unwrap_or_else(|error| panic!("{name}: {error}"));
        let declaration = work.join(&name);
        block_on(adopt(&source, &declaration));
        subjects.push(Subject::new(server, &name, declaration, true, rows));
    };
    adopted("hostile".into(), HOSTILE, "");
    for seed in (0..GENERATED).map(|at| seed.wrapping_mul(100).wrapping_add(at)) {
        let schema = random(&mut Rng::new(seed), server.major, 4);
        adopted(format!("generated_{seed}"), &sql(&schema, server.major), &rows(&schema));
    }
    subjects
}

/// Writes the declaration of a database.
async fn adopt(database: &Database<'_>, directory: &Path) {
    let session = engine::open(&database.target()).await.unwrap_or_else(|error| panic!("{error}"));
    let inspection = inspect::read(&session, &[]).await.unwrap_or_else(|error| panic!("{error}"));
    inspect::store(directory, &inspection.document(true).files(), false).unwrap_or_else(|error| panic!("{error}"));
}

fn block_on<T>(future: impl std::future::Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

impl<'a> Subject<'a> {
    /// Brings an empty database to a declaration, and puts rows into it.
    fn new(server: &'a Server, name: &str, declaration: PathBuf, managed: bool, rows: &str) -> Self {
        let database = server.database();
        let problem = |error: String| -> () { panic!("{name} on {}: {error}", server.major) };
        block_on(async {
            let mut plan = database.plan(&declaration, &[]).await.map_err(problem).expect("a plan").plan;
            plan.allowed = plan.not_allowed();
            plan.seal().expect("a plan");
            database.apply(&plan).await.unwrap_or_else(problem);
        });
        database.psql(rows).map(drop).unwrap_or_else(problem);
        let mut subject = Self { name: name.to_owned(), database, declaration, managed, noted: BTreeSet::new() };
        subject.noted = subject.drift(&subject.database);
        let differences: Vec<&String> = subject.noted.iter().filter(|text| !text.starts_with("noted ")).collect();
        assert!(differences.is_empty(), "{name} on {} does not agree to begin with: {differences:?}", server.major);
        subject
    }

    /// All changes that could be made.
    fn mutations(&self, classes: &[Class], major: u32) -> Vec<Mutation> {
        let mut script = format!("\\set managed {}\n", self.managed);
        script.push_str(&std::fs::read_to_string(directory().join("prelude.sql")).expect("the prelude"));
        for (at, class) in classes.iter().enumerate().filter(|(_, class)| class.from <= major) {
            script.push_str(&format!(
                "select jsonb_build_object('class', {at}, 'sql', sql, 'undo', undo, 'expected', to_jsonb(expected))\n\
                 from (\n{}\n) m (sql, undo, expected);\n",
                class.query
            ));
        }
        let printed = self.database.psql(&script).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let line = |text: &str| serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        printed.lines().filter(|text| text.starts_with('{')).map(line).collect()
    }

    /// Makes a change in a copy and looks at drift, takes it back and looks again. False if the server refuses it.
    fn attempt(&'a self, mutation: &Mutation, copies: &mut BTreeMap<usize, Database<'a>>) -> Result<bool, String> {
        let copy = copies.remove(&mutation.subject).unwrap_or_else(|| self.database.server.copy(&self.database.name));
        if copy.psql(&mutation.sql).is_err() {
            return Ok(false);
        }
        self.agrees(&copy, &mutation.expected)?;
        if let Some(undo) = &mutation.undo {
            copy.psql(undo).map_err(|error| format!("cannot be taken back: {error}\n{undo}"))?;
            self.agrees(&copy, &BTreeSet::new()).map_err(|why| format!("taken back by\n{undo}\n{why}"))?;
            copies.insert(mutation.subject, copy);
        }
        Ok(true)
    }

    fn agrees(&self, copy: &Database, expected: &BTreeSet<String>) -> Result<(), String> {
        let found: BTreeSet<String> = self.drift(copy).difference(&self.noted).cloned().collect();
        if found == *expected {
            return Ok(());
        }
        let list = |left: &BTreeSet<String>, right: &BTreeSet<String>| {
            left.difference(right).map(|line| format!("\n    {line}")).collect::<String>()
        };
        Err(format!("  not reported:{}\n  reported:{}", list(expected, &found), list(&found, expected)))
    }

    /// What drift says, by the lock alone.
    fn drift(&self, database: &Database) -> BTreeSet<String> {
        block_on(async {
            let choices = Choices {
                declaration: self.declaration.clone(),
                scratch: Place::Local(None),
                target: None,
                locked: true,
                env: &|_| None,
                progress: &|_| {},
            };
            let session = engine::open(&database.target()).await.unwrap_or_else(|error| panic!("{error}"));
            let (desired, live) = engine::both(&choices, &session).await.unwrap_or_else(|error| panic!("{error}"));
            lines(&Drift::of(&live, &desired.model, &[], session.major))
        })
    }
}

/// What was reported, in the words of the classes.
fn lines(drift: &Drift) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for difference in &drift.differences {
        let fields: Vec<&str> = difference.fields.iter().map(|field| field.name.as_str()).collect();
        let fields = if fields.is_empty() { String::new() } else { format!("[{}]", fields.join(",")) };
        lines.insert(format!("{}{fields} {}", difference.change.word(), difference.address.path()));
    }
    let notes = &drift.notes;
    let noted = notes.not_checked.iter().chain(&notes.not_managed).cloned();
    let noted = noted.chain(notes.undeclared_grants.iter().map(|held| format!("grants on {}", held.address.path())));
    let noted = noted.chain(notes.foreign_grants.iter().map(|(on, grant)| format!("{grant} on {}", on.path())));
    lines.extend(noted.map(|text| format!("noted {text}")));
    lines
}
