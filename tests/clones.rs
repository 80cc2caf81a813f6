//! Tables with very many referrers are cloned in scratch: that changes no lock and no message.
//!
//! The oracle is a compilation without clones: byte for byte the same lock. Each declaration is compiled with clones from
//! two referrers on; `cloned` says how many references are led to how many of them, so that none is missed and none is taken that
//! must not be.

mod support;

use pgplumb::compile::lock::path_of;
use std::path::Path;
use support::compiled::compiled;
use support::server::{majors, Server};

/// What the compilation says of clones, and the text of the lock.
fn compile(server: &Server, directory: &Path, many: Option<usize>) -> Result<(Vec<String>, String), String> {
    let (said, lock) = compiled(server, directory, &|scratch| scratch.many = many)?;
    Ok((said.into_iter().filter(|text| text.contains("clones")).collect(), lock))
}

/// Three tables that refer to `parent`, by what follows their name in the map of tables.
fn three(columns: &str, key: &str) -> String {
    ["a", "b", "c"]
        .map(|name| format!("  {name}:\n    columns: {columns}\n    foreign_keys:\n      {name}_fkey: {key}\n"))
        .concat()
}

/// What is declared, and the words about clones; none where the slow way is the right one.
fn declarations(major: u32) -> Vec<(&'static str, String, Option<&'static str>)> {
    const THREE: Option<&str> = Some("3 references led to 2 clones");
    let tables = |head: &str, parent: &str, children: &str| {
        format!("pgplumb: 1\npostgres: 14\nschemas: [public, app]\n{head}tables:\n  parent:\n{parent}{children}")
    };
    let id = "    columns: { id: int primary key, note: text }\n";
    let one = |key: &str| three("{ x: int, y: int }", key);
    let pair = "    columns: { a: int, b: varchar(10) collate \"C\" }\n    uniques: { parent_both: [a, b] }\n";
    let typed = "    columns: { id: level primary key, m: mood }\n    uniques: { parent_mood: m }\n";
    let types = "domains:\n  level: { type: int, checks: { positive: value > 0 } }\nenums:\n  mood: [sad, happy]\n";
    let twice = "    columns: { id: int primary key }\n    uniques: { again: id }\n";
    let index = "    columns: { id: int primary key }\n    indexes: { other: { keys: id, unique: true } }\n";
    let wider =
        "    columns: { id: int primary key, x: int }\n    indexes: { other: { keys: 'x, id', unique: true } }\n";
    let late = "    columns: { id: int }\n    uniques: { k: { columns: id, deferrable: true } }\n";
    let own = format!("{}  d:\n    columns: {{ x: int }}\n", one("(x) references parent"));
    let itself = "    columns: { id: int primary key, up: int }\n    foreign_keys: { p: (up) references parent, q: (up) references parent }\n";
    let filled = "    columns: { id: int primary key }\n    rows: [{ id: 1 }]\n";
    let mut all = vec![
        ("primary key", tables("", id, &one("(x) references parent")), THREE),
        ("named columns", tables("", id, &one("(x) references parent (id) on delete cascade")), THREE),
        ("said with its schema", tables("", id, &one("(x) references public.parent on update set null")), THREE),
        (
            "composite",
            tables("", pair, &three("{ x: int, y: varchar }", "(x, y) references parent (a, b) match full")),
            THREE,
        ),
        (
            "composite, turned",
            tables("", pair, &three("{ x: int, y: text }", "(y, x) references parent (b, a)")),
            THREE,
        ),
        ("domain", tables(types, typed, &three("{ x: level }", "(x) references parent")), THREE),
        ("enum", tables(types, typed, &three("{ x: mood }", "(x) references parent (m)")), THREE),
        ("not valid", tables("", id, &one("(x) references parent not valid")), THREE),
        ("deferrable", tables("", id, &one("(x) references parent deferrable initially deferred")), THREE),
        ("an index over more", tables("", wider, &one("(x) references parent (id)")), THREE),
        ("a table beside", tables("", id, &own), THREE),
        (
            "unlogged",
            tables(
                "",
                &format!("    unlogged: true\n{id}"),
                &one("(x) references parent").replace("    columns", "    unlogged: true\n    columns"),
            ),
            THREE,
        ),
        ("two keys fit", tables("", twice, &one("(x) references parent (id)")), None),
        ("an index fits too", tables("", index, &one("(x) references parent (id)")), None),
        ("itself", tables("", itself, ""), None),
        ("with rows", tables("", filled, &one("(x) references parent")), None),
        ("refused: types", tables("", id, &three("{ x: text }", "(x) references parent")), None),
        ("refused: one of three", tables("", id, &one("(x) references parent").replacen("x: int", "x: text", 1)), None),
        ("refused: columns", tables("", id, &one("(x, y) references parent")), None),
        ("refused: no key", tables("", id, &one("(x) references parent (note)")), None),
        ("refused: deferrable", tables("", late, &one("(x) references parent (id)")), None),
    ];
    if major >= 15 {
        let key = "(x, y) references parent (a, b) on delete set null (x)";
        all.push(("set null (x)", tables("", pair, &three("{ x: int, y: varchar }", key)), THREE));
    }
    if major >= 18 {
        all.push(("not enforced", tables("", id, &one("(x) references parent not enforced")), THREE));
    }
    all
}

#[test]
fn clones_change_no_lock_and_no_message() {
    let mut failures = Vec::new();
    for major in majors() {
        let server = Server::start(major);
        for (name, text, cloned) in declarations(major) {
            let directory = tempfile::tempdir().expect("a directory");
            std::fs::write(directory.path().join("a.yaml"), text).expect("a declaration");
            let plain = compile(&server, directory.path(), None);
            let with = compile(&server, directory.path(), Some(2));
            let why = match (&plain, &with) {
                (Ok((none, a)), Ok((said, b))) => {
                    let said = said.first().map(String::as_str);
                    (!none.is_empty() || a != b || said != cloned || name.starts_with("refused"))
                        .then(|| format!("{said:?}\n{}", similar::TextDiff::from_lines(a, b).unified_diff()))
                }
                (Err(a), Err(b)) => (a != b
                    || !name.starts_with("refused")
                    || !(b.contains("(42") || b.contains("(55000)"))
                    || b.contains("pgplumb_clone"))
                .then(|| format!("{a}\n--- with clones\n{b}")),
                (Err(a), Ok(_)) => Some(format!("only with clones: {a}")),
                (Ok(_), Err(b)) => Some(format!("refused only with clones: {b}")),
            };
            failures.extend(why.map(|why| format!("{name}, PostgreSQL {major}: {why}")));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn an_increment_with_clones_compiles_as_the_whole_does() {
    for major in majors() {
        let server = Server::start(major);
        let directory = tempfile::tempdir().expect("a directory");
        let children = |from: usize, ty: &str| {
            let child = |n| {
                format!("  t{n}:\n    columns: {{ id: int primary key, p: {ty} }}\n    foreign_keys:\n      t{n}_p: (p) references parent\n")
            };
            format!("tables:\n{}", (from..from + 5).map(child).collect::<String>())
        };
        let store = |file: &str, text: &str| std::fs::write(directory.path().join(file), text).expect("a file");
        store("a.yaml", "pgplumb: 1\ntables:\n  parent:\n    columns: { id: int primary key }\n");
        store("b.yaml", &children(0, "int"));
        store("c.yaml", &children(10, "int"));
        let (said, before) = compile(&server, directory.path(), Some(3)).expect("a lock");
        assert_eq!(said, ["10 references led to 4 clones"]);
        std::fs::write(path_of(directory.path()), before).expect("a lock");
        // One referrer, then all of a file, then the table itself.
        let steps = [
            ("b.yaml", children(0, "int").replacen("p: int", "p: bigint", 1), 0),
            ("b.yaml", children(0, "bigint"), 1),
            ("a.yaml", "pgplumb: 1\ntables:\n  parent:\n    columns: { id: bigint primary key }\n".to_owned(), 1),
        ];
        for (file, text, clones) in steps {
            store(file, &text);
            let (said, mine) = compile(&server, directory.path(), Some(3)).expect("an increment");
            assert_eq!(said.len(), clones, "{said:?}");
            std::fs::remove_file(path_of(directory.path())).expect("the lock");
            let (_, whole) = compile(&server, directory.path(), None).expect("the whole");
            assert_eq!(mine, whole);
            std::fs::write(path_of(directory.path()), mine).expect("a lock");
        }
    }
}
