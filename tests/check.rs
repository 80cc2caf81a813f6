//! Mistakes in declarations: what `check` finds without a server and `compile` with one, all in one run, each at
//! file:line:column; and that YAML never changes a text in silence.
//!
//! `check_cases/<case>/input.yaml` (or a directory `input`) gives `expected.txt`. Cases whose name starts with
//! `server_` are for `compile`. `PGPLUMB_UPDATE=1` writes what is said now; read it before you commit it.

mod support;

use pgplumb::kinds::Draft;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::stage::{drafts, server, Ran, Stage};

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check_cases");
    let entries = std::fs::read_dir(root).expect("the cases");
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    cases.sort();
    cases
}

fn compare(case: &Path, arguments: &[&str]) -> Option<String> {
    let input = if case.join("input").is_dir() { "input" } else { "input.yaml" };
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgplumb"));
    command.arg(arguments[0]).arg(input).args(&arguments[1..]).args(["--quiet"]).current_dir(case);
    // Nothing is found, nothing is connected to.
    command.env("PATH", "/nowhere").env("PGPLUMB_PG_ROOT", "/nowhere").env("PGHOST", "/nowhere");
    let ran = Ran::of(command.output().expect("pgplumb runs"));
    let told = ran.err.clone();
    let expected = case.join("expected.txt");
    if std::env::var_os("PGPLUMB_UPDATE").is_some() {
        std::fs::write(&expected, &told).expect("it can be written");
    }
    let wanted = std::fs::read_to_string(&expected).unwrap_or_default();
    if ran.status == Some(1) && ran.out.is_empty() && told == wanted {
        return None;
    }
    let diff = similar::TextDiff::from_lines(&wanted, &told);
    Some(format!("{} (status {:?})\n{}", case.display(), ran.status, diff.unified_diff().context_radius(1)))
}

#[test]
fn check_finds_all_mistakes_without_a_server() {
    let cases: Vec<PathBuf> = cases().into_iter().filter(|case| !name(case).starts_with("server_")).collect();
    assert!(cases.len() > 10);
    let wrong: Vec<String> = cases.iter().filter_map(|case| compare(case, &["check"])).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn compile_finds_all_that_only_the_server_knows() {
    let cases: Vec<PathBuf> = cases().into_iter().filter(|case| name(case).starts_with("server_")).collect();
    assert!(!cases.is_empty());
    let (scratch, major) = (server().url("postgres"), server().major().to_string());
    let arguments = ["compile", "--scratch", &scratch, "--postgres", &major];
    let wrong: Vec<String> = cases.iter().filter_map(|case| compare(case, &arguments)).collect();
    let left = cases.iter().find(|case| case.join("input.lock").exists());
    assert_eq!(left, None, "a lock was written");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn name(case: &Path) -> String {
    case.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[test]
fn an_ivfflat_index_without_dimensions_is_refused_where_it_stands() {
    if !server().install().has_extension("vector") {
        return;
    }
    let stage = Stage::with(
        "",
        "extensions: [vector]\ntables:\n  t:\n    columns:\n      e: vector\n    indexes:\n      i: { using: ivfflat, keys: e vector_cosine_ops }\n      j: { using: ivfflat, keys: e }\n",
    );
    stage.run(&["compile"]).refused(&["all.yaml:8:7", "column does not have dimensions"]);
}

#[test]
fn checking_writes_nothing_and_says_what_was_checked() {
    let stage = Stage::with("", "tables:\n  t:\n    columns:\n      id: int\n");
    let ran = stage.run(&["check"]);
    assert!(ran.ok().out.contains("no mistake found"), "{ran}");
    assert!(!stage.path("schema/schema.lock").exists());
    stage.run(&["check", "nothere"]).refused(&["nothere", "cannot read the declaration"]);
}

// YAML never shortens SQL in silence.

/// A declaration with these bytes at the place of a column's default.
fn declared(bytes: &[u8]) -> (Stage, PathBuf) {
    let stage = Stage::new();
    let path = stage.file("bytes.yaml", "");
    std::fs::write(&path, bytes).expect("it can be written");
    (stage, path)
}

fn spec(drafts: &[Draft], kind: &str, name: &str) -> serde_json::Value {
    let found = drafts.iter().find(|d| d.node.address.kind() == kind && d.node.address.name() == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}")).node.spec.read().expect("JSON")
}

#[test]
fn values_arrive_as_they_were_written() {
    let cases = [
        ("1.10", "1.10"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("1e3", "1e3"),
        ("+1", "+1"),
        ("007", "007"),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("Off", "Off"),
        ("true", "true"),
        ("'null'", "null"),
        ("\"~\"", "~"),
        ("2020-01-01", "2020-01-01"),
        ("12:30:45", "12:30:45"),
        ("'a # b'", "a # b"),
        ("a#b", "a#b"),
        ("'it''s'", "it's"),
        ("\"tab\\there\"", "tab\there"),
        ("'  spaced  '", "  spaced  "),
        ("|\n      x # y\n      : z\n", "x # y\n: z\n"),
        ("|-\n      a\n\n        b\n", "a\n\n  b"),
    ];
    for (written, arrives) in cases {
        // A comment takes any text; a reference row takes any value.
        let yaml = format!(
            "pgplumb: 1\ntables:\n  t:\n    comment: {written}\n    columns:\n      id: int primary key\n      a: text\n    rows:\n      - id: 1\n        a: {}\n",
            written.replace("\n      ", "\n          ")
        );
        let (_stage, path) = declared(yaml.as_bytes());
        let all = drafts(&path);
        let table = all.iter().find(|d| d.node.address.kind() == "table").expect("the table");
        assert_eq!(table.node.comment.as_deref(), Some(arrives), "{written}");
        let row = all.iter().find(|d| d.node.address.kind() == "row").expect("the row");
        let row: serde_json::Value = row.node.spec.read().expect("JSON");
        assert_eq!(row["values"]["a"], arrives, "{written}");
    }
}

#[test]
fn only_an_unquoted_null_is_null() {
    for (written, null) in [
        ("null", true),
        ("~", true),
        ("", true),
        ("'null'", false),
        ("\"~\"", false),
        ("''", false),
        ("Null", false),
        ("NULL", false),
    ] {
        let yaml = format!(
            "pgplumb: 1\ntables:\n  t:\n    columns:\n      id: int primary key\n      a: text\n    rows:\n      - id: 1\n        a: {written}\n"
        );
        let (_stage, path) = declared(yaml.as_bytes());
        let row: serde_json::Value = drafts(&path)
            .iter()
            .find(|d| d.node.address.kind() == "row")
            .expect("the row")
            .node
            .spec
            .read()
            .expect("JSON");
        assert_eq!(row["values"]["a"].is_null(), null, "{written}");
    }
}

#[test]
fn sql_numbers_and_words_keep_their_spelling() {
    let cases =
        ["1.10", "0x1F::text", "1.", ".5", "1e-7", "no", "on_", "yes", "null", "'no'", "'~'", "'2020-01-01'", "1_000"];
    for sql in cases {
        let quoted = format!("{:?}", sql);
        let yaml = format!("pgplumb: 1\ntables:\n  t:\n    columns:\n      id: {{ type: text, default: {quoted} }}\n");
        let (_stage, path) = declared(yaml.as_bytes());
        assert_eq!(spec(&drafts(&path), "column", "id")["default"], sql);
        if !["null", "'no'", "'~'", "'2020-01-01'", "on_"].contains(&sql) {
            let yaml = format!("pgplumb: 1\ntables:\n  t:\n    columns:\n      id: {{ type: text, default: {sql} }}\n");
            let (_stage, path) = declared(yaml.as_bytes());
            assert_eq!(spec(&drafts(&path), "column", "id")["default"], sql);
        }
    }
}

#[test]
fn line_ends_of_windows_and_a_mark_at_the_start_are_no_part_of_a_text() {
    let yaml = "\u{FEFF}pgplumb: 1\nfunctions:\n  f():\n    returns: int\n    language: sql\n    body: |\n      select 1;\n\n        select 2 # 3\n";
    let body = |bytes: String| {
        let (_stage, path) = declared(bytes.as_bytes());
        spec(&drafts(&path), "function", "f()")["body"].clone()
    };
    let unix = body(yaml.to_owned());
    assert_eq!(unix, "select 1;\n\n  select 2 # 3\n");
    assert_eq!(body(yaml.replace('\n', "\r\n")), unix);
    assert_eq!(body(yaml.replace('\n', "\r")), unix);
}

#[test]
fn what_yaml_would_cut_or_fold_is_refused_in_each_sql_position() {
    let hint = "put the SQL in quotes, or write it after `|`";
    let places = [
        ("tables:\n  t:\n    columns:\n      a: SQL\n", "int not null", 6),
        ("tables:\n  t:\n    columns:\n      a: { type: int }\n    checks:\n      c: SQL\n", "a > 1", 6),
        ("tables:\n  t:\n    columns:\n      a: { type: int }\n    indexes:\n      c: SQL\n", "a desc", 6),
        (
            "tables:\n  t:\n    columns:\n      a: { type: int }\n    policies:\n      p:\n        using: SQL\n",
            "a > 1",
            8,
        ),
        ("views:\n  v:\n    query: SQL\n", "select 1 as a", 4),
        ("domains:\n  d: SQL\n", "text not null", 2),
    ];
    for (yaml, sql, indent) in places {
        let (a, b) = sql.rsplit_once(' ').expect("two words");
        let pad = " ".repeat(indent + 2);
        let good = [
            sql.to_owned(),
            format!("'{sql} '"),
            format!("|\n{pad}{a}\n{pad}{b} -- # c\n"),
            format!("| # a comment\n{pad}{sql}\n"),
        ];
        let bad = [
            format!("{sql} # more"),
            format!("{a}\n{pad}{b}"),
            format!(">\n{pad}{a}\n{pad}{b}"),
            format!(">-\n{pad}{a}\n{pad}{b}\n"),
        ];
        for text in good {
            let (_stage, path) = declared(format!("pgplumb: 1\n{}", yaml.replace("SQL", &text)).as_bytes());
            drafts(&path);
        }
        for text in bad {
            let (stage, path) = declared(format!("pgplumb: 1\n{}", yaml.replace("SQL", &text)).as_bytes());
            stage.run(&["check", &path.display().to_string()]).refused(&["YAML", hint, "bytes.yaml:"]);
        }
    }
}
