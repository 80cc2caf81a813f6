//! What is compiled again when a declaration changes: no more than has to be, and with the same result as if all were.
//!
//! A case is a file under `tests/increments`: the files of a declaration at the `start`, those that `change` (null for
//! one that goes), and what is `rebuilt`, or the words with which it is `refused`. The oracle is a compilation of
//! everything: byte for byte the same lock. The last tests do the same for random declarations, and for what git makes
//! of two changes.

mod support;

use pgplumb::compile::lock::{path_of, Lock};
use pgplumb::compile::surroundings::Stubs;
use pgplumb::compile::{self, Place};
use pgplumb::engine::{self, Choices};
use pgplumb::inspect;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use support::generate::{mutate, random, roles_sql, sql, Rng, Schema};
use support::server::{majors, Server};

/// Path to text; null for a file that goes.
type Files = BTreeMap<String, Option<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// An extension that the server must have.
    needs: Option<String>,
    start: Files,
    change: Files,
    /// Addresses; not said where everything is compiled.
    rebuilt: Option<Vec<String>>,
    refused: Option<String>,
}

/// Random pairs of declarations per major.
const PAIRS: u64 = 12;

fn store(directory: &Path, files: &Files) {
    for (path, text) in files {
        let path = directory.join(path);
        match text {
            Some(text) => std::fs::write(path, text).expect("writing a file"),
            None => std::fs::remove_file(path).expect("removing a file"),
        }
    }
}

fn compile(server: &Server, directory: &Path) -> Result<Vec<u8>, String> {
    let choices = Choices {
        declaration: directory.to_owned(),
        scratch: Place::Server(Box::new(server.target("postgres"))),
        target: None,
        locked: false,
        env: &|_| None,
        progress: &|_| {},
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let compiled = runtime.block_on(engine::compile(&choices, &[server.major], true));
    compiled.map_err(|error| error.to_string())?;
    std::fs::read(path_of(directory)).map_err(|error| error.to_string())
}

/// Compiles everything, as if there were no lock.
fn compile_afresh(server: &Server, directory: &Path) -> Result<Vec<u8>, String> {
    std::fs::remove_file(path_of(directory)).map_err(|error| error.to_string())?;
    compile(server, directory)
}

/// What the lock in the directory says has to be compiled again.
fn rebuilt(server: &Server, directory: &Path) -> Vec<String> {
    let lock = Lock::read(&path_of(directory)).expect("a lock").expect("a lock");
    let mut more = BTreeSet::new();
    let increment = loop {
        let mut reading = compile::read(directory, Some(&lock), &more).expect("a declaration");
        let increments = reading.increments(Some(&lock), &[server.major], &Stubs::default(), false);
        let increment = increments.expect("a lock").remove(&server.major).expect("an increment");
        if increment.unread.is_empty() {
            break increment;
        }
        more.extend(increment.unread);
    };
    let kept = |address| increment.kept.iter().any(|l| l.node.address == address);
    let new = increment.part.nodes().iter().map(|n| n.address.clone()).filter(|a| !kept(a.clone()));
    new.map(|address| address.to_string()).collect()
}

fn difference(mine: &[u8], whole: &[u8]) -> String {
    let (mine, whole) = (String::from_utf8_lossy(mine), String::from_utf8_lossy(whole));
    similar::TextDiff::from_lines(&*whole, &*mine).unified_diff().context_radius(0).to_string()
}

fn run(server: &Server, case: &Case) -> Result<(), String> {
    if let Some(extension) = case.needs.as_ref().filter(|name| !server.has_extension(name)) {
        println!("PostgreSQL {} has no extension {extension} here", server.major);
        return Ok(());
    }
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let directory = directory.path();
    store(directory, &case.start);
    let before = compile(server, directory).map_err(|error| format!("start: {error}"))?;
    store(directory, &case.change);
    if let Some(words) = &case.refused {
        return match compile(server, directory) {
            Err(error) if error.contains(words) => {
                let left = std::fs::read(path_of(directory)).map_err(|error| error.to_string())?;
                (left == before).then_some(()).ok_or_else(|| "the lock was touched".to_owned())
            }
            Err(error) => Err(format!("refused with other words: {error}")),
            Ok(_) => Err("not refused".to_owned()),
        };
    }
    if let Some(wanted) = &case.rebuilt {
        let mut found = rebuilt(server, directory);
        // What PostgreSQL makes by itself is in no draft.
        let made_here = |address: &&String| address.starts_with("sequence ");
        found.extend(wanted.iter().filter(made_here).cloned());
        found.sort();
        if found != *wanted {
            return Err(format!("rebuilt {found:#?}, wanted {wanted:#?}"));
        }
    }
    let mine = compile(server, directory)?;
    let whole = compile_afresh(server, directory)?;
    (mine == whole).then_some(()).ok_or_else(|| difference(&mine, &whole))
}

#[test]
fn only_what_rests_on_a_change_is_compiled_again() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/increments");
    let mut paths: Vec<_> =
        std::fs::read_dir(directory).expect("the cases").flatten().map(|entry| entry.path()).collect();
    paths.sort();
    assert!(paths.len() > 15, "the cases are gone");
    let mut failures = Vec::new();
    for major in majors() {
        let server = Server::start(major);
        for path in &paths {
            let text = std::fs::read_to_string(path).expect("a case");
            let case: Case = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            failures.extend(run(&server, &case).err().map(|why| format!("{name} on PostgreSQL {major}: {why}")));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Writes the declaration of a schema, without a lock.
fn declare(server: &Server, schema: &Schema, directory: &Path) -> Result<(), String> {
    let words = |error: pgplumb::error::Error| error.to_string();
    let database = server.database();
    database.psql(&sql(schema, server.major)).map_err(|error| format!("generator: {error}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let session = engine::open(&database.target()).await.map_err(words)?;
        let inspection = inspect::read(&session, &[]).await.map_err(words)?;
        let files = inspection.document(true).files();
        for left in inspect::left_over(directory, &files) {
            std::fs::remove_file(directory.join(left)).map_err(|error| error.to_string())?;
        }
        inspect::store(directory, &files, true).map_err(words)
    })
}

#[test]
fn any_change_of_a_declaration_compiles_as_the_whole_does() {
    for major in majors() {
        let server = Server::start(major);
        server.psql("postgres", &roles_sql()).expect("roles");
        for seed in 1..=PAIRS {
            let mut rng = Rng::new(seed.wrapping_mul(0x51ed_270b).wrapping_add(u64::from(major)));
            let a = random(&mut rng, major, 3);
            let b = mutate(&a, &mut rng);
            let directory = tempfile::tempdir().expect("a directory");
            let journey = || {
                declare(&server, &a, directory.path())?;
                compile(&server, directory.path())?;
                declare(&server, &b, directory.path())?;
                let mine = compile(&server, directory.path())?;
                let whole = compile_afresh(&server, directory.path())?;
                (mine == whole).then_some(()).ok_or_else(|| difference(&mine, &whole))
            };
            let outcome: Result<(), String> = journey();
            let script = || format!("--- A\n{}\n--- B\n{}", sql(&a, major), sql(&b, major));
            outcome.unwrap_or_else(|why| panic!("seed {seed}, PostgreSQL {major}: {why}\n{}", script()));
        }
    }
}

const BASE: [(&str, &str); 3] = [
    ("a.yaml", "pgplumb: 1\ntables:\n  a:\n    columns:\n      id: int primary key\n"),
    ("b.yaml", "tables:\n  b:\n    columns:\n      id: int primary key\n"),
    ("c.yaml", "views:\n  w: { query: select 1 as one }\n"),
];

/// Merges two versions of the lock as git does; Err if there is a conflict.
fn merge(directory: &Path, base: &[u8], ours: &[u8], theirs: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
    let paths = ["ours", "base", "theirs"].map(|name| directory.join(name));
    for (path, bytes) in paths.iter().zip([ours, base, theirs]) {
        std::fs::write(path, bytes).expect("a version");
    }
    let merged = Command::new("git").args(["merge-file", "-p"]).args(&paths).output().expect("git");
    if merged.status.success() {
        Ok(merged.stdout)
    } else {
        Err(merged.stdout)
    }
}

#[test]
fn merged_locks_are_right_or_known_to_be_stale() {
    let column = |text: &str| text.replace("id: int primary key\n", "id: int primary key\n      n: int\n");
    let view = |text: &str| format!("{text}  v: {{ query: select * from a }}\n");
    let [(_, a), (_, b), (_, c)] = BASE;
    // (what we change, what they change, whether git can merge it, whether the merged lock is fresh)
    let cases = [
        (("a.yaml", column(a)), ("b.yaml", column(b)), true, true),
        // The new view took all columns that there were.
        (("a.yaml", column(a)), ("c.yaml", view(c)), true, false),
        (("a.yaml", column(a)), ("a.yaml", column(a).replace("n: int", "n: text")), false, false),
    ];
    for major in majors() {
        let server = Server::start(major);
        for (ours, theirs, merges, fresh) in &cases {
            let directory = tempfile::tempdir().expect("a directory");
            let directory = directory.path();
            let versions = tempfile::tempdir().expect("a directory");
            let put = |files: &[(&str, &str)]| {
                for (path, text) in files {
                    std::fs::write(directory.join(path), text).expect("a file");
                }
            };
            put(&BASE);
            let base = compile(&server, directory).expect("base");
            put(&[(ours.0, &ours.1)]);
            let mine = compile(&server, directory).expect("ours");
            put(&BASE);
            std::fs::write(path_of(directory), &base).expect("the lock");
            put(&[(theirs.0, &theirs.1)]);
            let other = compile(&server, directory).expect("theirs");
            put(&[(ours.0, &ours.1)]);

            let merged = merge(versions.path(), &base, &mine, &other);
            assert_eq!(merged.is_ok(), *merges, "{ours:?} {theirs:?}");
            let text = merged.unwrap_or_else(|conflict| conflict);
            std::fs::write(path_of(directory), &text).expect("the lock");
            match Lock::read(&path_of(directory)) {
                Ok(lock) => {
                    let lock = lock.expect("a lock");
                    let stale = lock.stale(&compile::sources(directory, &lock).expect("sources"));
                    assert_eq!((stale.is_empty(), true), (*fresh, *merges), "{ours:?} {theirs:?}: {stale:?}");
                }
                Err(error) => assert!(!merges && error.to_string().contains("a merge left it half done"), "{error}"),
            }
            let again = compile(&server, directory).expect("compiling what was merged");
            let whole = compile_afresh(&server, directory).expect("compiling all");
            assert!(again == whole, "{ours:?} {theirs:?}: {}", difference(&again, &whole));
            if *fresh {
                assert!(text == whole, "{}", difference(&text, &whole));
            }
        }
    }
}

/// A thing that one side added with a template that the other side changed.
#[test]
fn what_was_compiled_with_another_template_is_stale() {
    let template =
        |more: &str| format!("pgplumb: 1\ntemplates:\n  tenant:\n    columns: {{ tenant_id: int not null }}\n{more}");
    let table = |name: &str| format!("tables:\n  {name}: {{ use: [tenant], columns: {{ id: bigint primary key }} }}\n");
    let plain = |name: &str| format!("tables:\n  {name}: {{ columns: {{ id: bigint primary key }} }}\n");
    for major in majors() {
        let server = Server::start(major);
        let (directory, versions) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("another"));
        let directory = directory.path();
        let put = |path: &str, text: &str| std::fs::write(directory.join(path), text).expect("a file");
        put("aa.yaml", &template(""));
        put("bb.yaml", &table("aa"));
        put("mm.yaml", &plain("mm"));
        put("nn.yaml", &plain("nn"));
        let base = compile(&server, directory).expect("base");
        put("secrets.yaml", &table("secrets"));
        let other = compile(&server, directory).expect("theirs");
        std::fs::remove_file(directory.join("secrets.yaml")).expect("the file");
        std::fs::write(path_of(directory), &base).expect("the lock");
        put("aa.yaml", &template("    rls: forced\n    policies: { own: { using: tenant_id = 1 } }\n"));
        let mine = compile(&server, directory).expect("ours");
        put("secrets.yaml", &table("secrets"));

        let text = merge(versions.path(), &base, &mine, &other).unwrap_or_else(|conflict| conflict);
        std::fs::write(path_of(directory), &text).expect("the lock");
        if let Ok(lock) = Lock::read(&path_of(directory)) {
            let lock = lock.expect("a lock");
            let stale = lock.stale(&compile::sources(directory, &lock).expect("sources"));
            assert!(!stale.is_empty(), "the policy of secrets is in no line of {}", String::from_utf8_lossy(&text));
        }
        let again = compile(&server, directory).expect("compiling what was merged");
        let whole = compile_afresh(&server, directory).expect("compiling all");
        assert!(again == whole, "{}", difference(&again, &whole));
    }
}
