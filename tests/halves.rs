//! What is large is built in two databases at once: that changes no lock and no message.
//!
//! The oracle is a compilation in one database: byte for byte the same lock.

mod support;

use std::path::Path;
use support::compiled::compiled;
use support::generate::roles_sql;
use support::server::{majors, Server};
use support::subject::declarations;

/// Random schemas beside the others.
const GENERATED: std::ops::Range<u64> = 60..66;

/// How a compilation was done.
#[derive(Debug, PartialEq)]
enum Way {
    Together,
    Apart,
    /// Apart, and then together since that did not do.
    Back,
}

fn compile(server: &Server, directory: &Path, apart: Option<usize>) -> Result<(Way, String), String> {
    let (said, lock) = compiled(server, directory, &|scratch| scratch.apart = apart)?;
    let says = |text: &str| said.iter().any(|line| line.contains(text));
    let way = match (says("two databases"), says("building all together")) {
        (false, _) => Way::Together,
        (true, false) => Way::Apart,
        (true, true) => Way::Back,
    };
    Ok((way, lock))
}

fn server(major: u32) -> Server {
    let server = Server::start(major);
    server.psql("postgres", &roles_sql()).expect("roles");
    server
}

#[test]
fn halves_change_no_lock() {
    for major in majors() {
        let server = server(major);
        let work = tempfile::tempdir().expect("a directory");
        let (mut apart, mut others) = (0, Vec::new());
        for (name, declaration) in declarations(&server, work.path(), GENERATED) {
            let fail = |why: String| -> (Way, String) { panic!("{name} on {major}: {why}") };
            let (way, together) = compile(&server, &declaration, None).unwrap_or_else(fail);
            assert_eq!(way, Way::Together);
            let (way, halves) = compile(&server, &declaration, Some(0)).unwrap_or_else(fail);
            let diff = || similar::TextDiff::from_lines(&together, &halves).unified_diff().to_string();
            assert!(together == halves, "{name} on {major}, {way:?}:\n{}", diff());
            match way {
                Way::Apart => apart += 1,
                Way::Together | Way::Back => others.push(format!("{name}: {way:?}")),
            }
        }
        assert!(apart >= 3 * others.len(), "on {major}, {apart} were built apart, not these: {others:?}");
    }
}

#[test]
fn what_does_not_do_apart_is_done_together() {
    let table = |name: &str, rest: &str| format!("  {name}:\n    columns: {{ id: int primary key, x: int }}\n{rest}");
    let declared = |a: &str, b: &str| format!("pgplumb: 1\ntables:\n{}{}", table("a", a), table("b", b));
    let check = |expression: &str| format!("    checks: {{ {{t}}_x: '{expression}' }}\n");
    let both = |a: &str, b: &str| declared(&check(a).replace("{t}", "a"), &check(b).replace("{t}", "b"));
    // PostgreSQL names a sequence after both, and looks for another name only where it sees the first.
    let same = |ty: &str| {
        let of = |table: &str, column: &str| format!("  {table}:\n    columns: {{ {column}: {ty} }}\n");
        format!("pgplumb: 1\ntables:\n{}{}", of("a_b", "c"), of("a", "b_c"))
    };
    let cases = [
        ("none", both("x > 0", "x < 9"), Way::Apart),
        ("one refused", both("x > 0", "x < nothing"), Way::Back),
        ("both refused", both("x > y", "x < nothing"), Way::Back),
        ("the same name, which is seen", same("bigserial"), Way::Back),
        ("the same name, which nobody sees", same("bigint generated always as identity"), Way::Back),
    ];
    for major in majors() {
        let server = server(major);
        for (name, text, expected) in &cases {
            let directory = tempfile::tempdir().expect("a directory");
            std::fs::write(directory.path().join("a.yaml"), text).expect("a declaration");
            let together = compile(&server, directory.path(), None);
            let apart = compile(&server, directory.path(), Some(0));
            match (together, apart) {
                (Ok((_, together)), Ok((way, apart))) => {
                    assert_eq!(way, *expected, "{name} on {major}");
                    assert_eq!(together, apart, "{name} on {major}");
                }
                (together, apart) => {
                    assert!(name.ends_with("refused"), "{name} on {major}: {together:?}");
                    assert_eq!(together.err(), apart.err(), "{name} on {major}");
                }
            }
        }
    }
}
