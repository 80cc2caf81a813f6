//! The rules of `docs/architecture.md`: who may import what, who speaks to whom, and what a file may look like.

use pgplumb::kinds::KINDS;
use std::fs;
use std::path::{Path, PathBuf};

/// Which modules of the crate each module may import. A module that is missing here may import nothing.
const IMPORTS: &[(&str, &str)] = &[
    ("error", ""),
    ("model", "error"),
    ("yaml", "error"),
    ("sql", "error model"),
    ("kinds", "error model yaml sql"),
    ("declare", "error model yaml sql kinds"),
    ("diff", "error model kinds"),
    ("catalog", "error model sql kinds declare diff"),
    ("plan", "error model sql kinds catalog diff"),
    ("compile", "error model sql kinds declare catalog diff plan"),
    ("engine", "error model kinds declare catalog diff plan compile"),
    ("decide", "error model kinds catalog diff plan compile engine"),
    ("rehearsal", "error model sql kinds declare catalog diff plan compile"),
    ("inspect", "error model yaml sql kinds declare catalog diff plan compile engine"),
    ("apply", "error model sql kinds catalog diff plan"),
    ("drift", "error model sql kinds catalog diff plan engine decide"),
    ("audit", "error model sql kinds declare catalog diff compile engine apply"),
    ("prove", "error model sql kinds declare catalog diff plan compile engine"),
    (
        "report",
        "error model yaml sql kinds declare catalog diff plan compile engine decide inspect apply drift audit prove",
    ),
    (
        "cli",
        "error model kinds declare catalog plan compile engine decide rehearsal inspect apply drift audit prove report",
    ),
    ("lib", ""),
    ("main", ""),
];

/// What one place alone may use, as paths or parts of paths, and where.
const ALONE: &[(&str, &[&str])] = &[
    ("pg_query::", &["sql/"]),
    ("petgraph::", &["plan/graph.rs", "compile/halves.rs"]),
    ("saphyr_parser::", &["yaml/"]),
    ("clap::", &["cli/", "main.rs"]),
    ("indicatif::", &["cli/"]),
    ("similar::{", &["report/"]),
    ("tokio_postgres_rustls::", &["catalog/connect"]),
    ("tokio_postgres::Client", &["catalog/"]),
    // Who sends something to a server: all others are told what a server said.
    (
        ".client.",
        &[
            "catalog/",
            "apply/",
            "compile/attempt.rs",
            "compile/build.rs",
            "compile/mod.rs",
            "compile/scratch",
            "compile/settle.rs",
            "plan/preflight.rs",
            "plan/privileges.rs",
            "audit/live.rs",
            "inspect.rs",
            "rehearsal/",
        ],
    ),
];

/// Names that say nothing of what a file holds.
const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc", "manager"];

const LONGEST: usize = 600;

#[test]
fn imports_point_one_way() {
    let mut wrong = Vec::new();
    for file in sources() {
        let module = file.module();
        let allowed = IMPORTS.iter().find(|(name, _)| *name == module).map(|(_, allowed)| *allowed);
        let allowed: Vec<&str> = allowed.unwrap_or_default().split(' ').collect();
        for import in file.imports() {
            if import != module && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{} imports crate::{import}", file.name));
            }
        }
    }
    nothing(wrong);
}

/// The table above allows no circle: what a module may import stands before it.
#[test]
fn the_table_of_imports_has_no_circle() {
    for (at, (module, allowed)) in IMPORTS.iter().enumerate() {
        for import in allowed.split(' ').filter(|name| !name.is_empty()) {
            let below = IMPORTS.iter().position(|(name, _)| *name == import);
            assert!(
                below.is_some_and(|below| below < at),
                "{module} may import {import}, which does not stand before it"
            );
        }
    }
}

#[test]
fn each_library_has_its_place() {
    let mut wrong = Vec::new();
    for file in sources() {
        for (path, places) in ALONE {
            if file.code.contains(path) && !places.iter().any(|place| file.name.starts_with(place)) {
                wrong.push(format!("{} uses {path}, which only {} may", file.name, places.join(", ")));
            }
        }
    }
    nothing(wrong);
}

#[test]
fn differences_and_plans_name_no_kind() {
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name()).collect();
    let mut wrong = Vec::new();
    for file in sources().into_iter().filter(|file| file.name == "diff.rs" || file.name.starts_with("plan/")) {
        for text in file.texts.iter().filter(|text| names.contains(&text.as_str())) {
            wrong.push(format!("{} says \"{text}\", which is the name of a kind", file.name));
        }
    }
    nothing(wrong);
}

#[test]
fn each_kind_has_its_file() {
    let mut wrong = Vec::new();
    for kind in KINDS {
        // `enum` is a word of the language.
        let stem = if kind.name() == "enum" { "enumeration".to_owned() } else { kind.name().replace(' ', "_") };
        if !directory().join(format!("kinds/{stem}.rs")).exists() {
            wrong.push(format!("kind {} has no src/kinds/{stem}.rs", kind.name()));
        }
    }
    let implementations: usize = sources()
        .iter()
        .filter(|file| file.name.starts_with("kinds/"))
        .map(|file| file.code.matches("impl Kind for ").count())
        .sum();
    assert_eq!(implementations, KINDS.len(), "every implementation of Kind is in the registry");
    nothing(wrong);
}

#[test]
fn files_are_short_and_have_names() {
    let mut wrong = Vec::new();
    for file in sources() {
        if file.lines > LONGEST {
            wrong.push(format!("{} has {} lines; {LONGEST} are too many to read", file.name, file.lines));
        }
        let stem = Path::new(&file.name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if EMPTY_NAMES.contains(&stem) {
            wrong.push(format!("{} has a name that says nothing", file.name));
        }
    }
    nothing(wrong);
}

#[test]
fn nothing_panics_on_purpose() {
    let calls = [".unwrap()", ".expect(", "panic!(", "todo!(", "unimplemented!(", "unreachable!("];
    let mut wrong = Vec::new();
    for file in sources() {
        wrong.extend(
            calls.iter().filter(|call| file.code.contains(**call)).map(|call| format!("{} has {call}", file.name)),
        );
    }
    nothing(wrong);
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = sources()
        .into_iter()
        .filter(|file| !file.documented)
        .map(|file| format!("{} does not begin with //!", file.name));
    nothing(silent.collect());
}

fn nothing(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n  {}\n", wrong.join("\n  "));
}

/// A file of the program, without its tests.
struct File {
    /// The path below `src`.
    name: String,
    lines: usize,
    documented: bool,
    /// The code without comments, and with all string literals empty.
    code: String,
    /// The string literals.
    texts: Vec<String>,
}

impl File {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a source file");
        let name = path.strip_prefix(directory()).expect("a path below src").display().to_string();
        // Unit tests stand at the end of a file.
        let program = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let (code, texts) = lexed(program);
        Self { name, lines: text.lines().count(), documented: text.starts_with("//!"), code, texts }
    }

    fn module(&self) -> String {
        self.name.split(['/', '.']).next().unwrap_or_default().to_owned()
    }

    /// The first segments of all paths that begin with `crate`.
    fn imports(&self) -> Vec<String> {
        let mut imports = Vec::new();
        for rest in self.code.split("crate::").skip(1) {
            match rest.strip_prefix('{') {
                Some(group) => imports.extend(first_segments(group)),
                None => imports.push(word(rest)),
            }
        }
        // Items at the top of the crate, such as a macro, are no modules.
        imports.retain(|name| IMPORTS.iter().any(|(module, _)| module == name));
        imports
    }
}

/// Of `a::b, c::{d, e}, f}` the words `a`, `c` and `f`.
fn first_segments(group: &str) -> Vec<String> {
    let (mut depth, mut words, mut fresh) = (0, Vec::new(), true);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            letter if fresh && letter.is_alphabetic() => {
                words.push(word(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    words
}

fn word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

/// Parts Rust code from its comments and string literals. Raw strings and character literals are known.
fn lexed(text: &str) -> (String, Vec<String>) {
    let (mut code, mut texts) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let raw = rest.strip_prefix('r').map(|r| r.len() - r.trim_start_matches('#').len());
        let raw =
            raw.filter(|hashes| rest[1 + hashes..].starts_with('"') && !code.ends_with(|c: char| c.is_alphanumeric()));
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if rest.starts_with("/*") {
            rest = rest.find("*/").map_or("", |end| &rest[end + 2..]);
        } else if let Some(hashes) = raw {
            let body = &rest[2 + hashes..];
            let close = format!("\"{}", "#".repeat(hashes));
            let end = body.find(&close).unwrap_or(body.len());
            texts.push(body[..end].to_owned());
            code.push_str("\"\"");
            rest = body.get(end + close.len()..).unwrap_or_default();
        } else if letter == '"' {
            let body = &rest[1..];
            let mut escaped = false;
            let end = body.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            let end = end.unwrap_or(body.len());
            texts.push(body[..end].to_owned());
            code.push_str("\"\"");
            rest = body.get(end + 1..).unwrap_or_default();
        } else if let Some(length) = character(rest) {
            code.push_str("' '");
            rest = &rest[length..];
        } else {
            code.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    (code, texts)
}

/// The length of a character literal, which a lifetime is not.
fn character(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\'')?;
    if let Some(escape) = body.strip_prefix('\\') {
        return escape[1..].find('\'').map(|end| end + 4);
    }
    let first = body.chars().next()?.len_utf8();
    body[first..].starts_with('\'').then_some(first + 2)
}

#[test]
fn the_lexer_knows_strings_from_code() {
    let (code, texts) = lexed("a(\"x // \\\" y\", r#\"z\"w\"#, '\"', '\\'', 'b') // c\n/* d */ fn f<'a>(e: &'a str)");
    assert_eq!(code, "a(\"\", \"\", ' ', ' ', ' ') \n fn f<'a>(e: &'a str)");
    assert_eq!(texts, ["x // \\\" y", "z\"w"]);
    assert_eq!(first_segments("a::b, c::{d, e}, f}; g"), ["a", "c", "f"]);
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All files of the program, those that hold only tests aside.
fn sources() -> Vec<File> {
    let mut found = Vec::new();
    let mut waiting = vec![directory()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).expect("a directory of sources").flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") && path.file_name().is_some_and(|n| n != "tests.rs") {
                found.push(File::read(&path));
            }
        }
    }
    assert!(found.len() > 50, "only {} files found", found.len());
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}
