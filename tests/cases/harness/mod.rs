//! Finds the cases and runs them, each worker with servers of its own.

mod expect;
mod stages;

use crate::support::server::{majors, Server};
use expect::Expect;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Workers: each case keeps a client, a server process and pg_dump busy in turn.
const WORKERS: usize = 3;

/// One directory.
pub struct Case {
    /// `<kind>/<case>`.
    pub name: String,
    pub directory: PathBuf,
    pub expect: Expect,
}

/// All cases that `CASE` asks for, sorted.
pub fn all() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let wanted = std::env::var("CASE").unwrap_or_default();
    let mut cases = Vec::new();
    for kind in directories(&root).into_iter().filter(|kind| !kind.ends_with("harness")) {
        for directory in directories(&kind) {
            let name = directory.strip_prefix(&root).unwrap_or(&directory).display().to_string();
            if name.contains(&wanted) {
                let expect =
                    Expect::read(&directory.join("expect.yaml")).unwrap_or_else(|e| panic!("{name}: expect.yaml: {e}"));
                cases.push(Case { name, directory, expect });
            }
        }
    }
    cases
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

/// Runs the cases on all majors; gives one text for each that failed.
pub fn run_all(cases: &[Case]) -> Vec<String> {
    let majors = majors();
    let work: Vec<(u32, &Case)> =
        majors.iter().flat_map(|major| cases.iter().map(move |case| (*major, case))).collect();
    let queue = Mutex::new(work.into_iter());
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let mut servers: BTreeMap<u32, Server> = BTreeMap::new();
                loop {
                    let next = queue.lock().expect("the queue").next();
                    let Some((major, case)) = next else { break };
                    // The work is sorted by major: servers of others are no longer needed.
                    servers.retain(|of, _| *of == major);
                    let server = servers.entry(major).or_insert_with(|| Server::start(major));
                    if let Err(why) = run(server, case) {
                        let text = format!("--- {} on PostgreSQL {major}: {why}", case.name);
                        failures.lock().expect("the failures").push(text);
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("the failures");
    failures.sort();
    failures
}

fn run(server: &Server, case: &Case) -> Result<(), String> {
    let Expect { majors, needs, .. } = &case.expect;
    if !majors.is_empty() && !majors.contains(&server.major) {
        return Ok(());
    }
    if let Some(missing) = needs.iter().find(|name| !server.has_extension(name)) {
        println!("{}: not on PostgreSQL {}, which has no extension {missing} here", case.name, server.major);
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(stages::run(server, case))
}
