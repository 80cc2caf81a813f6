//! Databases that agree with their declarations: what is compared when nothing, or one thing, may differ.

use super::database::{allowed, Database};
use super::generate::{portable, random, rows, sql, Rng};
use super::server::Server;
use pgplumb::catalog::connect::Target;
use pgplumb::compile::Place;
use pgplumb::drift::Drift;
use pgplumb::engine::{self, Choices};
use pgplumb::inspect;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The systems in `schema/`.
const SYSTEMS: [&str; 4] = ["enpyco", "iafactory", "q2o", "vital"];
/// A database with every kind and every option in it.
const HOSTILE: &str = include_str!("../inspect/hostile.sql");
/// One with what the others lack.
const REST: &str = include_str!("../mutation/subject.sql");
const REST_ROWS: &str = "insert into without_key select n, 'n' || n from generate_series(1, 3) n";

/// A database, and the declaration from which it was made.
pub struct Subject<'a> {
    pub name: String,
    pub database: Database<'a>,
    pub declaration: PathBuf,
    /// Whether owners and grants are declared throughout.
    pub managed: bool,
    /// What drift notes before anything was changed.
    noted: BTreeSet<String>,
}

/// The systems, as far as the server has their extensions, and databases with everything in them. Declarations and
/// locks are kept in `work`. Roles of generated schemas have to be there.
pub fn all<'a>(server: &'a Server, work: &Path) -> Vec<Subject<'a>> {
    let here = |system: &&str| *system != "enpyco" || server.has_extension("vector");
    let mut subjects: Vec<Subject> = SYSTEMS.into_iter().filter(here).map(|name| system(server, work, name)).collect();
    subjects.push(adopted(server, work, "hostile", HOSTILE, ""));
    subjects.push(adopted(server, work, "rest", REST, REST_ROWS));
    subjects
}

/// A random schema with rows.
pub fn generated<'a>(server: &'a Server, work: &Path, seed: u64) -> Subject<'a> {
    let schema = portable(random(&mut Rng::new(seed), server.major, 4));
    adopted(server, work, &format!("generated_{seed}"), &sql(&schema, server.major), &rows(&schema))
}

/// The declarations of the systems, as far as the server has their extensions, and of databases with everything in them,
/// without locks, by their names. Roles of generated schemas have to be there.
pub fn declarations(server: &Server, work: &Path, seeds: std::ops::Range<u64>) -> Vec<(String, PathBuf)> {
    let here = |system: &&str| *system != "enpyco" || server.has_extension("vector");
    let mut all: Vec<(String, PathBuf)> =
        SYSTEMS.into_iter().filter(here).map(|name| (name.to_owned(), copied(work, name))).collect();
    all.iter().for_each(|(_, path)| std::fs::remove_file(path.join("schema.lock")).expect("a lock"));
    let mut add = |name: &str, script: &str| all.push((name.to_owned(), inspected(server, work, name, script)));
    add("hostile", HOSTILE);
    add("rest", REST);
    for seed in seeds {
        let schema = portable(random(&mut Rng::new(seed), server.major, 4));
        add(&format!("generated_{seed}"), &sql(&schema, server.major));
    }
    all
}

fn system<'a>(server: &'a Server, work: &Path, name: &str) -> Subject<'a> {
    Subject::new(server, name, copied(work, name), false, "")
}

/// A copy of the declaration of a system.
fn copied(work: &Path, name: &str) -> PathBuf {
    let declaration = work.join(name);
    std::fs::create_dir(&declaration).expect("a directory");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema").join(name);
    for entry in std::fs::read_dir(from).expect("the declaration").flatten() {
        std::fs::copy(entry.path(), declaration.join(entry.file_name())).expect("a copy");
    }
    declaration
}

fn adopted<'a>(server: &'a Server, work: &Path, name: &str, script: &str, rows: &str) -> Subject<'a> {
    let declaration = inspected(server, work, name, script);
    Subject::new(server, name, declaration, true, rows)
}

/// What a script makes, as the declaration that inspect writes of it.
fn inspected(server: &Server, work: &Path, name: &str, script: &str) -> PathBuf {
    let source = server.database();
    source.psql(script).unwrap_or_else(|error| panic!("{name}: {error}"));
    let declaration = work.join(name);
    block_on(async {
        let session = engine::open(&source.target()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let inspection = inspect::read(&session, &[]).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let files = inspection.document(true).files();
        inspect::store(&declaration, &files, false).unwrap_or_else(|error| panic!("{name}: {error}"));
    });
    declaration
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
            let plan = database.plan(&declaration).await.map_err(problem).expect("a plan").plan;
            database.apply(&allowed(plan)).await.unwrap_or_else(problem);
        });
        database.psql(rows).map(drop).unwrap_or_else(problem);
        let mut subject = Self { name: name.to_owned(), database, declaration, managed, noted: BTreeSet::new() };
        subject.noted = subject.reports(&subject.database.target());
        let differences: Vec<&String> = subject.noted.iter().filter(|text| !text.starts_with("noted ")).collect();
        assert!(differences.is_empty(), "{name} on {} does not agree to begin with: {differences:?}", server.major);
        subject
    }

    /// Compiles the declaration for another server's major too.
    pub fn compile(&self, server: &Server) {
        let place = Place::Server(Box::new(server.target("postgres")));
        let compiled = block_on(engine::compile(&self.choices(place, false), &[server.major], true));
        compiled.unwrap_or_else(|error| panic!("{} on {}: {error}", self.name, server.major));
    }

    /// What drift says of a database, by the lock alone, beyond what it notes of the one here: `missing ADDRESS`,
    /// `extra ADDRESS`, `changed[fields] ADDRESS`, and `noted TEXT`.
    pub fn reports(&self, target: &Target) -> BTreeSet<String> {
        let drift = block_on(async {
            let session = Arc::new(engine::open(target).await.unwrap_or_else(|error| panic!("{}: {error}", self.name)));
            let both = engine::both(&self.choices(Place::local(None), true), &session, false).await;
            let (desired, live) = both.unwrap_or_else(|error| panic!("{}: {error}", self.name));
            Drift::of(&live, &desired.model, &[], session.major)
        });
        lines(&drift).difference(&self.noted).cloned().collect()
    }

    fn choices(&self, scratch: Place, locked: bool) -> Choices<'_> {
        let declaration = self.declaration.clone();
        Choices { declaration, scratch, target: None, locked, env: &|_| None, progress: &|_| {} }
    }
}

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
