//! The audit on real servers: each directory of `tests/audit_cases` is a database and what is found there.
//!
//! A directory is named after the one rule that it tests, with a variant behind a dot; `sound` runs all of them.
//! - `setup.sql` makes the database; `{{n}}` in it is a number of its own, for names of roles;
//! - `expected.txt`: severity and address of each finding, sorted;
//! - `tenancy.yaml`, if there is a tenancy; `since` and `until`: majors between which it runs.
//!
//! `PGPLUMB_TEST_MAJORS` says which servers (default: 16 and 18). With `PGPLUMB_UPDATE=1` docs/audit.md is
//! written anew.

use pgplumb::audit::{self, view, Report, Request, Severity, RULES};
use pgplumb::catalog::connect::{connect, Target};
use pgplumb::compile::server::{find, LocalServer, Options};
use pgplumb::declare::Tenancy;
use pgplumb::engine;
use std::fs;
use std::path::{Path, PathBuf};

fn majors() -> Vec<u32> {
    let text = std::env::var("PGPLUMB_TEST_MAJORS").unwrap_or_else(|_| "16 18".to_owned());
    text.split([' ', ',']).filter(|m| !m.is_empty()).map(|m| m.parse().expect("a major")).collect()
}

fn start(major: u32) -> LocalServer {
    let install = find(Some(major), None).unwrap_or_else(|error| panic!("{error}"));
    let settings = vec![("allow_system_table_mods".to_owned(), "on".to_owned())];
    let options = Options { purpose: "audit tests".to_owned(), settings, ..Options::default() };
    LocalServer::start(&install, &options).unwrap_or_else(|error| panic!("{error}"))
}

fn target(server: &LocalServer, database: &str) -> Target {
    Target::resolve(Some(&server.url(database)), &|_| None).expect("a URL")
}

/// A fresh database with the statements run in it.
async fn database(server: &LocalServer, name: &str, setup: &str) -> Target {
    let maintenance = connect(&target(server, "postgres")).await.expect("a connection");
    maintenance.batch_execute(&format!("create database \"{name}\" template template0")).await.expect("a database");
    let target = target(server, name);
    let client = connect(&target).await.expect("a connection");
    client.batch_execute(setup).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    target
}

async fn audit(target: &Target, tenancy: Option<Tenancy>, rule: Option<&str>) -> Report {
    let session = engine::open(target).await.expect("a session");
    let rules = rule.map(|name| audit::find(name).unwrap_or_else(|| panic!("there is no rule {name}")));
    let request = Request {
        schemas: Vec::new(),
        ignore: Vec::new(),
        tenancy,
        rules: rules.into_iter().collect(),
        minimum: Severity::Note,
    };
    audit::run(&session, request).await.unwrap_or_else(|error| panic!("{error}"))
}

struct Case {
    name: String,
    directory: PathBuf,
}

impl Case {
    fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audit_cases");
        let entries = fs::read_dir(root).expect("tests/audit_cases").map(|e| e.expect("an entry").path());
        let mut cases: Vec<Self> = entries
            .map(|directory| Self {
                name: directory.file_name().expect("a name").to_string_lossy().into_owned(),
                directory,
            })
            .collect();
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        cases
    }

    fn text(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.directory.join(file)).ok()
    }

    /// None for the case that runs them all.
    fn rule(&self) -> Option<&str> {
        let rule = self.name.split('.').next().expect("a first part");
        (rule != "sound").then_some(rule)
    }

    fn runs_on(&self, major: u32) -> bool {
        let bound = |file: &str, default: u32| self.text(file).map_or(default, |t| t.trim().parse().expect("a major"));
        (bound("since", 0)..=bound("until", 99)).contains(&major)
    }

    fn expected(&self) -> Vec<String> {
        self.text("expected.txt").expect("expected.txt").lines().map(str::to_owned).collect()
    }

    async fn found(&self, server: &LocalServer, n: usize) -> Vec<String> {
        let setup = self.text("setup.sql").expect("setup.sql").replace("{{n}}", &n.to_string());
        let tenancy = self.text("tenancy.yaml").map(|text| serde_yaml::from_str(&text).expect("a tenancy"));
        let report = audit(&database(server, &self.name, &setup).await, tenancy, self.rule()).await;
        assert!(report.unchecked.is_empty(), "{}: {:?}", self.name, report.unchecked);
        for finding in &report.findings {
            assert!(!finding.message.is_empty() && !finding.advice.is_empty(), "{}: {finding:?}", self.name);
        }
        let mut lines: Vec<String> =
            report.findings.iter().map(|f| format!("{} {}", f.severity.word(), f.address.path())).collect();
        lines.sort();
        lines
    }
}

fn block_on<T>(future: impl std::future::Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

#[test]
fn cases_find_what_they_expect() {
    let mut wrong = String::new();
    for major in majors() {
        let server = start(major);
        for (n, case) in Case::all().iter().enumerate().filter(|(_, case)| case.runs_on(major)) {
            let (found, expected) = (block_on(case.found(&server, n)), case.expected());
            if found != expected {
                wrong.push_str(&format!("\n{} on {major}:\n", case.name));
                found
                    .iter()
                    .filter(|f| !expected.contains(f))
                    .for_each(|f| wrong.push_str(&format!("  too much: {f}\n")));
                expected
                    .iter()
                    .filter(|e| !found.contains(e))
                    .for_each(|e| wrong.push_str(&format!("  missing:  {e}\n")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_rule_has_a_case_that_finds_something() {
    let cases = Case::all();
    for rule in RULES {
        let finds = cases.iter().any(|case| case.rule() == Some(rule.name) && !case.expected().is_empty());
        assert!(finds, "rule {} has no case", rule.name);
    }
}

#[test]
fn rules_that_need_a_tenancy_say_that_they_did_not_run() {
    let server = start(majors()[0]);
    let report = block_on(async {
        let target = database(
            &server,
            "untold",
            "create table tenants (id int primary key); create table t (tenant_id int references tenants)",
        )
        .await;
        audit(&target, None, None).await
    });
    for rule in RULES.iter().filter(|rule| rule.needs_tenancy) {
        assert!(report.unchecked.iter().any(|what| what.contains(rule.name)), "{}", rule.name);
    }
    let found: Vec<&str> = report.findings.iter().map(|f| f.rule).collect();
    assert_eq!(found, ["foreign-key-not-indexed"]);
}

#[test]
fn what_was_not_looked_at_is_said() {
    let server = start(majors()[0]);
    let setup = "create table parts (id int, tenant_id int) partition by list (id); create table t (tenant_id int)";
    let tenancy = Tenancy { root: "missing".into(), column: "tenant_id".into(), current: None, bypass: None };
    let report = block_on(async { audit(&database(&server, "parts", setup).await, Some(tenancy), None).await });
    for what in ["parts", "missing"] {
        assert!(report.unchecked.iter().any(|text| text.contains(what)), "{what}: {:?}", report.unchecked);
    }
}

/// A role that may log in and nothing else, in a transaction that may not write.
#[test]
fn the_least_privilege_is_enough_and_the_bytes_are_the_same() {
    let server = start(majors()[0]);
    let case = Case::all().into_iter().find(|case| case.name == "policy-without-tenant").expect("the case");
    let setup = case.text("setup.sql").expect("setup.sql");
    let tenancy: Tenancy = serde_yaml::from_str(&case.text("tenancy.yaml").expect("a tenancy")).expect("a tenancy");
    let json = |report: &Report| view::report(report, view::Format::Json, false);
    block_on(async {
        let target_of_all = database(
            &server,
            "least",
            &format!("{setup} create role visitor login; alter role visitor set default_transaction_read_only = on;"),
        )
        .await;
        let first = audit(&target_of_all, Some(tenancy.clone()), None).await;
        let again = audit(&target_of_all, Some(tenancy.clone()), None).await;
        assert_eq!(json(&first), json(&again));
        let url = server.url("least").replace("user=postgres", "user=visitor");
        let visitor = Target::resolve(Some(&url), &|_| None).expect("a URL");
        assert_eq!(json(&audit(&visitor, Some(tenancy), None).await), json(&first));
    });
}

#[test]
fn the_reference_is_in_step() {
    const MARK: &str = "<!-- what follows is generated from the rules: see tests/audit.rs -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/audit.md");
    let text = fs::read_to_string(&path).expect("docs/audit.md");
    let (start, _) = text.split_once(MARK).expect("the mark in docs/audit.md");
    let wanted = format!("{start}{MARK}\n{}", view::reference());
    if std::env::var_os("PGPLUMB_UPDATE").is_some() {
        fs::write(&path, &wanted).expect("docs/audit.md can be written");
    } else {
        assert!(text == wanted, "docs/audit.md is behind the rules: run this test with PGPLUMB_UPDATE=1");
    }
}
