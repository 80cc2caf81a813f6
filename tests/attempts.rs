//! What is large is committed block by block, and where something is refused, step by step: that changes no lock and no
//! message.
//!
//! The oracle is a compilation in one transaction.

mod support;

use std::path::{Path, PathBuf};
use support::compiled::compiled;
use support::generate::roles_sql;
use support::server::{majors, Server};
use support::subject::declarations;

/// Random schemas beside the others.
const GENERATED: std::ops::Range<u64> = 70..74;

/// What comes of a declaration if it is taken for large, and whether that was built step by step.
fn compile(server: &Server, directory: &Path, large: bool) -> (bool, Result<String, String>) {
    let stepwise = std::cell::Cell::new(false);
    let lock = compiled(server, directory, &|scratch| scratch.large = if large { 0 } else { usize::MAX });
    let lock = lock.map(|(said, lock)| {
        stepwise.set(said.iter().any(|line| line.contains("trying each thing by itself")));
        lock
    });
    (stepwise.get(), lock)
}

/// What differs between the two ways.
fn differs(server: &Server, name: &str, directory: &Path) -> Option<String> {
    let ((_, together), (_, large)) = (compile(server, directory, false), compile(server, directory, true));
    let text = |outcome: &Result<String, String>| outcome.clone().unwrap_or_else(|error| format!("refused:\n{error}"));
    let (together, large) = (text(&together), text(&large));
    let diff = || similar::TextDiff::from_lines(&together, &large).unified_diff().to_string();
    (together != large).then(|| format!("{name} on {}:\n{}", server.major, diff()))
}

fn server(major: u32) -> Server {
    let server = Server::start(major);
    server.psql("postgres", &roles_sql()).expect("roles");
    server
}

#[test]
fn how_large_it_is_changes_no_lock() {
    for major in majors() {
        let server = server(major);
        let work = tempfile::tempdir().expect("a directory");
        let all = declarations(&server, work.path(), GENERATED);
        let wrong: Vec<String> = all.iter().filter_map(|(name, path)| differs(&server, name, path)).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// The cases of mistakes that only a server sees.
fn mistakes() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check_cases");
    let entries = std::fs::read_dir(all).expect("cases").flatten().map(|entry| entry.path());
    let mut cases: Vec<PathBuf> = entries.filter(|path| path.to_string_lossy().contains("/server_")).collect();
    cases.sort();
    cases
}

#[test]
fn how_large_it_is_changes_no_message() {
    for major in majors() {
        let server = server(major);
        let cases = mistakes();
        assert!(!cases.is_empty());
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let wrong: Vec<String> = cases
            .iter()
            .filter_map(|case| {
                // Each in a directory of its own, where its lock would go.
                let work = tempfile::tempdir().expect("a directory");
                std::fs::copy(case.join("input.yaml"), work.path().join("input.yaml")).expect("a copy");
                differs(&server, &name(case), work.path())
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

fn declared(text: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("a.yaml"), format!("pgplumb: 1\n{text}")).expect("a declaration");
    directory
}

/// Rows that refer to one another are no mistake beside one.
#[test]
fn rows_that_refer_to_one_another_are_right() {
    let row = |table: &str, other: &str| {
        format!(
            "  {table}:
    columns: {{ id: int primary key, other: int }}
    foreign_keys: {{ {table}_other: (other) references {other} deferrable initially deferred }}
    rows: [{{ id: 1, other: 1 }}]
"
        )
    };
    let tables = format!("tables:\n{}{}", row("a", "b"), row("b", "a"));
    let (right, wrong) = (declared(&tables), declared(&format!("{tables}  c:\n    columns: {{ id: nowhere }}\n")));
    for major in majors() {
        let server = Server::start(major);
        let (stepwise, lock) = compile(&server, right.path(), true);
        assert!(!stepwise, "on {major}");
        let lock = lock.unwrap_or_else(|error| panic!("on {major}: {error}"));
        assert_eq!(lock.matches("/row ").count(), 2, "on {major}: {lock}");
        let (_, refused) = compile(&server, wrong.path(), true);
        let error = refused.expect_err("it is refused");
        assert!(error.lines().count() == 1 && error.contains("\"nowhere\""), "on {major}: {error}");
    }
}

/// A mistake in a template is told for some of the tables that it is stamped on.
#[test]
fn a_mistake_that_is_stamped_many_times_is_told_a_few_times() {
    let tables: String = (0..12).map(|n| format!("  t{n:02}: {{ use: common, columns: {{ id: int }} }}\n")).collect();
    let directory = declared(&format!(
        "templates:
  common:
    checks:
      ${{table}}_id: nothing(id) > 0
tables:
{tables}  without: {{ use: common, columns: {{ n: int }} }}
  other:
    columns: {{ id: int default nowhere() }}
"
    ));
    for major in majors() {
        let server = Server::start(major);
        for large in [false, true] {
            let (_, outcome) = compile(&server, directory.path(), large);
            let error = outcome.expect_err("it is refused");
            let at = |line: &str| line.starts_with(&format!("{}:5:", directory.path().join("a.yaml").display()));
            let stamped: Vec<&str> = error.lines().filter(|line| at(line)).collect();
            // Another sort of mistake at that place is told too.
            assert_eq!(stamped.len(), 5, "on {major}: {error}");
            assert_eq!(stamped.iter().filter(|line| line.ends_with("(42703)")).count(), 1, "on {major}: {error}");
            let others = ": 9 more that are declared at this place are refused too (42883)";
            assert_eq!(stamped.iter().filter(|line| line.ends_with(others)).count(), 1, "on {major}: {error}");
            assert_eq!(error.matches("nowhere").count(), 1, "on {major}: {error}");
        }
    }
}

#[test]
fn what_declared_code_sets_changes_no_lock() {
    const YAML: &str = r#"
pgplumb: 1
schemas: [public]
functions:
  unsettled(n int):
    returns: boolean
    language: plpgsql
    body: "begin perform set_config('search_path', 'public', false), set_config('DateStyle', 'SQL, DMY', false); return n > 0; end"
  other(n int): {returns: boolean, language: sql, body: "select n > 0"}
tables:
  t:
    columns: {id: int primary key, at: "date default '2020-02-03'"}
    checks: {t_id: unsettled(id), t_other: other(id)}
    rows: [{id: 1}]
"#;
    for major in majors() {
        let server = server(major);
        let work = tempfile::tempdir().expect("a directory");
        let path = work.path().join("schema.yaml");
        std::fs::write(&path, YAML).expect("writing a file");
        let (_, lock) = compile(&server, &path, true);
        let lock = lock.unwrap_or_else(|error| panic!("{error}"));
        assert!(lock.contains("public.other(id)") && lock.contains("'2020-02-03'::date"), "{lock}");
        assert_eq!(differs(&server, "unsettled", &path), None);
    }
}
