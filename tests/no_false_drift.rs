//! No false drift: what a database goes through in its life without becoming another one. It is dumped and restored,
//! on the same major or on a newer one, roles are renamed that it does not know, and people look at it who may not
//! look into it.

mod support;

use pgplumb::catalog::connect::Target;
use pgplumb::compile::server::find;
use std::collections::BTreeSet;
use std::sync::Mutex;
use support::generate::roles_sql;
use support::server::{majors, Server};
use support::subject::{all, generated, Subject};

/// The oldest major that there is.
const OLDEST: u32 = 14;
/// Random schemas beside the other databases.
const GENERATED: std::ops::Range<u64> = 40..42;
/// How many majors are worked on at the same time.
const WORKERS: usize = 2;

fn short() -> bool {
    std::env::var_os("PGPLUMB_TEST_SHORT").is_some()
}

fn server(major: u32) -> Server {
    let server = Server::start(major);
    server.psql("postgres", &roles_sql()).expect("roles");
    server
}

/// A test on each of the majors, two at a time, with all the databases there.
fn on_each(majors: Vec<u32>, test: impl Fn(&Server, &[Subject]) + Sync) {
    let left = Mutex::new(majors);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                // The lock is not held while a test runs.
                let next = || left.lock().expect("no panic").pop();
                while let Some(major) = next() {
                    let server = server(major);
                    let work = tempfile::tempdir().expect("a directory");
                    let mut subjects = all(&server, work.path());
                    subjects.extend(GENERATED.map(|seed| generated(&server, work.path(), seed)));
                    test(&server, &subjects);
                }
            });
        }
    });
}

#[track_caller]
fn agrees(what: &str, subject: &Subject, target: &Target) {
    let found = subject.reports(target);
    assert!(found.is_empty(), "{} {what}:\n{}", subject.name, list(&found));
}

fn list(lines: &BTreeSet<String>) -> String {
    lines.iter().map(|line| format!("    {line}\n")).collect()
}

#[test]
fn what_is_dumped_and_restored_is_the_same() {
    on_each(majors(), |server, subjects| {
        for subject in subjects {
            let once = subject.database.restored_on(server).unwrap_or_else(|error| panic!("{}: {error}", subject.name));
            agrees(&format!("restored on {}", server.major), subject, &once.target());
            // What was printed is printed again.
            let twice = once.restored_on(server).unwrap_or_else(|error| panic!("{}: {error}", subject.name));
            agrees(&format!("restored twice on {}", server.major), subject, &twice.target());
        }
    });
}

#[test]
fn what_comes_from_an_older_major_is_the_same() {
    let newer = |from: u32| -> Vec<u32> {
        let next = (from + 1..).find(|major| find(Some(*major), None).is_ok());
        majors().into_iter().filter(|to| *to > from && (!short() || Some(*to) == next)).collect()
    };
    let newest = majors().into_iter().max().unwrap_or(OLDEST);
    let here = |from: &u32| find(Some(*from), None).is_ok() && !newer(*from).is_empty();
    let older: Vec<u32> = (OLDEST..newest).filter(here).collect();
    assert!(short() || !older.is_empty(), "there is no server of an older major");
    on_each(older, |old, subjects| {
        for new in newer(old.major).into_iter().map(server) {
            let at = format!("from {} on {}", old.major, new.major);
            for subject in subjects.iter().filter(|s| s.name != "enpyco" || new.has_extension("vector")) {
                let there =
                    subject.database.restored_on(&new).unwrap_or_else(|error| panic!("{} {at}: {error}", subject.name));
                subject.compile(&new);
                agrees(&at, subject, &there.target());
                // The lock now holds both.
                agrees(&format!("on {}", old.major), subject, &subject.database.target());
            }
        }
    });
}

#[test]
fn who_may_only_connect_sees_the_same() {
    on_each(majors(), |server, subjects| {
        server.psql("postgres", "create role visitor login").expect("a role");
        for subject in subjects {
            let url = server.url(&subject.database.name).replace("user=postgres", "user=visitor");
            let target = Target::resolve(Some(&url), &|_| None).unwrap_or_else(|error| panic!("{error}"));
            let found = subject.reports(&target);
            // Rows are not for everybody, and that is said.
            let wrong: BTreeSet<String> =
                found.iter().filter(|line| !line.starts_with("noted row ")).cloned().collect();
            assert!(wrong.is_empty(), "{} as a visitor on {}:\n{}", subject.name, server.major, list(&wrong));
        }
    });
}

#[test]
fn roles_that_are_renamed_are_seen_where_they_are_named() {
    on_each(majors(), |server, subjects| {
        let rename = |from: &str, to: &str| {
            server.psql("postgres", &format!("alter role {from} rename to {to}")).expect("renamed");
        };
        server.psql("postgres", "create role nobody").expect("a role");
        rename("nobody", "somebody");
        subjects.iter().for_each(|subject| agrees("and a role it does not know", subject, &subject.database.target()));
        rename("reader", "\"re named\"");
        for subject in subjects {
            // All that a role owns, may use or is named by.
            let named = "select count(distinct (classid, objid, objsubid)) from pg_shdepend
                where refobjid = '\"re named\"'::regrole and dbid = (select oid from pg_database where datname = current_database())";
            let named = subject.database.psql(named).expect("a count");
            let found = subject.reports(&subject.database.target());
            let fields = |line: &String| {
                let (fields, _) = line.strip_prefix("changed[")?.split_once(']')?;
                let role = |field: &str| field == "to" || field == "grants to reader" || field == "grants to re named";
                fields.split(',').all(role).then_some(())
            };
            assert!(found.iter().all(|line| fields(line).is_some()), "{}:\n{}", subject.name, list(&found));
            assert_eq!(found.len().to_string(), named.trim(), "{}:\n{}", subject.name, list(&found));
        }
        rename("\"re named\"", "reader");
        subjects.iter().for_each(|subject| agrees("and a role renamed back", subject, &subject.database.target()));
    });
}
