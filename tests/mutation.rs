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

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;
use support::database::Database;
use support::generate::{roles_sql, Rng};
use support::server::{majors, Server};
use support::subject::{all, generated, Subject};

/// Changes per major in the ordinary suite, enough for each class, and in the shorter one.
const MUTATIONS: usize = 250;
const MUTATIONS_SHORT: usize = 15;
/// Threads that work on them, each on copies of its own.
const WORKERS: usize = 2;
/// Random schemas beside the other databases.
const GENERATED: u64 = 2;

/// What one query describes.
struct Class {
    name: String,
    /// The first major that knows of it.
    from: u32,
    /// An extension that it is about.
    needs: Option<String>,
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

/// Whether a change could be made.
enum Made {
    Yes,
    /// The server refuses it, in these words.
    No(String),
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
        let mut subjects = all(&server, work.path());
        subjects.extend((0..GENERATED).map(|n| generated(&server, work.path(), seed.wrapping_mul(100) + n)));
        let ready = started.elapsed();
        let (made, refused) = run(&server, &classes, &subjects, count, seed);
        if count >= classes.len() {
            let never: String = classes
                .iter()
                .filter(|class| class.from <= major && class.needs.iter().all(|name| server.has_extension(name)))
                .filter(|class| !made.contains_key(class.name.as_str()))
                .map(|class| {
                    let why = refused.get(class.name.as_str()).map_or("there is nothing to change", String::as_str);
                    format!("\n{}: {}", class.name, why.trim())
                })
                .collect();
            assert!(never.is_empty(), "PostgreSQL {major}, seed {seed}: never made:{never}");
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

/// Makes so many changes, each class in turn; gives how many were made of which class, and what the server said when
/// it refused one.
fn run<'c>(
    server: &Server,
    classes: &'c [Class],
    subjects: &[Subject],
    count: usize,
    seed: u64,
) -> (BTreeMap<&'c str, usize>, BTreeMap<&'c str, String>) {
    let mut rng = Rng::new(seed.wrapping_add(u64::from(server.major)));
    let mut possible: Vec<Vec<Mutation>> = classes.iter().map(|_| Vec::new()).collect();
    for (at, subject) in subjects.iter().enumerate() {
        for mutation in mutations(subject, classes, server.major) {
            possible[mutation.class].push(Mutation { subject: at, ..mutation });
        }
    }
    possible.iter_mut().for_each(|mutations| shuffle(mutations, &mut rng));
    shuffle(&mut possible, &mut rng);
    let possible = Mutex::new((possible, 0usize, count));
    let made = Mutex::new(BTreeMap::new());
    let refused = Mutex::new(BTreeMap::new());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let mut copies = BTreeMap::new();
                let mut again = None;
                while let Some((slot, mutation)) = again.take().or_else(|| next(&possible)) {
                    let class = classes[mutation.class].name.as_str();
                    let subject = &subjects[mutation.subject];
                    match attempt(subject, &mutation, &mut copies) {
                        Ok(Made::Yes) => *made.lock().expect("no panic").entry(class).or_default() += 1,
                        Ok(Made::No(why)) => {
                            refused.lock().expect("no panic").insert(class, format!("{}\n{why}", mutation.sql));
                            let mut possible = possible.lock().expect("no panic");
                            again = possible.0[slot].pop().map(|mutation| (slot, mutation));
                            possible.2 += usize::from(again.is_none());
                        }
                        Err(why) => {
                            let why = format!("{class} in {}:\n{}\n{why}", subject.name, mutation.sql);
                            wrong.lock().expect("no panic").push(why);
                        }
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
    (made.into_inner().expect("no panic"), refused.into_inner().expect("no panic"))
}

/// The next change with the place of its class, one of each class in turn, until enough were given.
fn next(possible: &Mutex<(Vec<Vec<Mutation>>, usize, usize)>) -> Option<(usize, Mutation)> {
    let mut possible = possible.lock().expect("no panic");
    let (classes, turn, left) = &mut *possible;
    *left = left.checked_sub(1)?;
    for _ in 0..classes.len() {
        let at = *turn % classes.len();
        *turn += 1;
        if let Some(mutation) = classes[at].pop() {
            return Some((at, mutation));
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
/// servers from there on know of it, or `-- class: name (vector)` if it is about an extension.
fn classes() -> Vec<Class> {
    let mut classes: Vec<Class> = Vec::new();
    for file in files() {
        let text = std::fs::read_to_string(&file).expect("a file");
        for part in text.split("-- class: ").skip(1) {
            let (title, query) = part.split_once('\n').expect("a query");
            let (name, mark) = match title.strip_suffix(')').and_then(|title| title.rsplit_once(" (")) {
                Some((name, mark)) => (name, mark),
                None => (title, "0"),
            };
            let (from, needs) = match mark.parse() {
                Ok(major) => (major, None),
                Err(_) => (0, Some(mark.to_owned())),
            };
            classes.push(Class { name: name.to_owned(), from, needs, query: query.trim().to_owned() });
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
    let is_class = |path: &PathBuf| !path.ends_with("prelude.sql") && !path.ends_with("subject.sql");
    let mut files: Vec<PathBuf> = entries.map(|e| e.path()).filter(is_class).collect();
    files.sort();
    files
}

/// All changes that could be made.
fn mutations(subject: &Subject, classes: &[Class], major: u32) -> Vec<Mutation> {
    let mut script = format!("\\set managed {}\n", subject.managed);
    script.push_str(&std::fs::read_to_string(directory().join("prelude.sql")).expect("the prelude"));
    for (at, class) in classes.iter().enumerate().filter(|(_, class)| class.from <= major) {
        script.push_str(&format!(
            "select jsonb_build_object('class', {at}, 'sql', sql, 'undo', undo, 'expected', to_jsonb(expected))\n\
             from (\n{}\n) m (sql, undo, expected);\n",
            class.query
        ));
    }
    let printed = subject.database.psql(&script).unwrap_or_else(|error| panic!("{}: {error}", subject.name));
    let line = |text: &str| serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    printed.lines().filter(|text| text.starts_with('{')).map(line).collect()
}

/// Makes a change in a copy and looks at drift, takes it back and looks again.
fn attempt<'a>(
    subject: &Subject<'a>,
    mutation: &Mutation,
    copies: &mut BTreeMap<usize, Database<'a>>,
) -> Result<Made, String> {
    let fresh = || subject.database.server.copy(&subject.database.name);
    let copy = copies.remove(&mutation.subject).unwrap_or_else(fresh);
    if let Err(why) = copy.psql(&mutation.sql) {
        return Ok(Made::No(why));
    }
    agrees(subject, &copy, &mutation.expected)?;
    if let Some(undo) = &mutation.undo {
        copy.psql(undo).map_err(|error| format!("cannot be taken back: {error}\n{undo}"))?;
        agrees(subject, &copy, &BTreeSet::new()).map_err(|why| format!("taken back by\n{undo}\n{why}"))?;
        copies.insert(mutation.subject, copy);
    }
    Ok(Made::Yes)
}

fn agrees(subject: &Subject, copy: &Database, expected: &BTreeSet<String>) -> Result<(), String> {
    let found: BTreeSet<String> = subject.reports(&copy.target());
    if found == *expected {
        return Ok(());
    }
    let list = |left: &BTreeSet<String>, right: &BTreeSet<String>| {
        left.difference(right).map(|line| format!("\n    {line}")).collect::<String>()
    };
    Err(format!("  not reported:{}\n  reported:{}", list(expected, &found), list(&found, expected)))
}
