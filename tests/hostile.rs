//! Hostile input: whatever stands in a declaration, it is an error or exactly what it says. Never a crash, never a
//! hang, and no SQL beyond the place where it stands.
//!
//! Needs PostgreSQL binaries: `PGPLUMB_PG_ROOT`, or whatever the search finds.

mod support;

use serde_yaml::{Mapping, Value};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::stage::{role, Background, Ran, Stage};

/// SplitMix64: the same numbers in each run.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Runs the program and gives up after so long: then there is no status.
fn within(seconds: u64, stage: &Stage, arguments: &[&str]) -> Ran {
    let mut command = stage.command(arguments);
    let out = stage.path("stdout");
    let err = stage.path("stderr");
    let file = |path: &Path| Stdio::from(std::fs::File::create(path).expect("a file"));
    let mut run =
        Background(command.stdin(Stdio::null()).stdout(file(&out)).stderr(file(&err)).spawn().expect("it starts"));
    let end = Instant::now() + Duration::from_secs(seconds);
    let status = loop {
        match run.0.try_wait().expect("a status") {
            Some(status) => break status.code(),
            None if Instant::now() > end => {
                run.0.kill().expect("it runs");
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let text = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).expect("a file")).into_owned();
    Ran { status, out: text(&out), err: text(&err) }
}

/// Whether it ended by itself and in words.
fn survived(ran: &Ran) -> bool {
    matches!(ran.status, Some(0..=2)) && !ran.err.contains("panicked") && ran.err.len() < 1 << 20
}

#[test]
fn monstrous_declarations_end_in_an_error_or_are_read() {
    let stage = Stage::new();
    let column = |default: &str| {
        format!("pgplumb: 1\ntables:\n  t:\n    columns:\n      a: {{ type: text, default: \"{default}\" }}\n")
    };
    let bomb = |width: usize, depth: usize| {
        let mut text = String::from("pgplumb: 1\na0: &a0 [x]\n");
        for level in 1..=depth {
            text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); width].join(",")));
        }
        text.into_bytes()
    };
    let many = |n: usize| -> String { (0..n).map(|i| format!("      c{i}: int\n")).collect() };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("spaces", vec![b' '; 1 << 20]),
        ("zeros", vec![0; 1 << 20]),
        ("line ends", vec![b'\n'; 8 << 20]),
        ("dashes", b"- ".repeat(1 << 20)),
        ("brackets", b"[".repeat(1 << 20)),
        ("braces", b"{a: ".repeat(1 << 18)),
        ("question marks", b"? ".repeat(1 << 18)),
        ("anchors", b"&a ".repeat(1 << 18)),
        ("bomb", bomb(10, 12)),
        ("wide bomb", bomb(1000, 4)),
        ("binary", (0..1 << 20).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()),
        ("not UTF-8", b"pgplumb: 1\ntables:\n  \xFF\xFE: {}\n".to_vec()),
        ("UTF-16", "pgplumb: 1\n".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("overlong", b"pgplumb: 1\ntables:\n  \xC0\xAF: {}\n".to_vec()),
        ("a surrogate", b"pgplumb: 1\ntables:\n  \xED\xA0\x80: {}\n".to_vec()),
        ("deep YAML", {
            let levels: String = (0..20_000).map(|i| format!("{}a:\n", " ".repeat(i % 3000))).collect();
            levels.into_bytes()
        }),
        ("a comment of 10 MB", format!("pgplumb: 1\ntables:\n  t:\n    comment: {}\n    columns: {{ a: int }}\n", "x".repeat(10 << 20)).into_bytes()),
        ("a literal of 10 MB", column(&format!("'{}'", "x".repeat(10 << 20))).into_bytes()),
        ("an operator of 1 MB", column(&"+".repeat(1 << 20)).into_bytes()),
        ("open brackets in SQL", column(&"(".repeat(200_000)).into_bytes()),
        ("nested brackets in SQL", column(&format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000))).into_bytes()),
        ("nested arrays in SQL", column(&format!("{}1{}", "array[".repeat(20_000), "]".repeat(20_000))).into_bytes()),
        ("a long chain of AND", column(&format!("1=1{}", " and 1=1".repeat(50_000))).into_bytes()),
        ("a long chain of NOT", column(&format!("{}true", "not ".repeat(100_000))).into_bytes()),
        ("a long chain of casts", column(&format!("'x'{}", "::text".repeat(50_000))).into_bytes()),
        ("nested queries", column(&format!("{}1{}", "(select ".repeat(5_000), ")".repeat(5_000))).into_bytes()),
        ("an open comment in SQL", column("1 /* ").into_bytes()),
        ("nested comments in SQL", column(&"/*".repeat(100_000)).into_bytes()),
        ("an open dollar quote", column("$x$ abc").into_bytes()),
        ("an open string", column("'abc").into_bytes()),
        ("50,000 columns", format!("pgplumb: 1\ntables:\n  t:\n    columns:\n{}", many(50_000)).into_bytes()),
        ("a name of 1 MB", format!("pgplumb: 1\ntables:\n  {}:\n    columns: {{ a: int }}\n", "x".repeat(1000)).into_bytes()),
        ("a quoted name of 10 MB", format!("pgplumb: 1\ntables:\n  '\"{}\"': {{ columns: {{ a: int }} }}\n", "é".repeat(5 << 20)).into_bytes()),
        ("a placeholder without end", b"pgplumb: 1\ntemplates:\n  a: { checks: { c: '${${${' } }\ntables:\n  t: { use: a, columns: { a: int } }\n".to_vec()),
        ("templates in a ring", b"pgplumb: 1\ntemplates:\n  a: { use: b }\n  b: { use: a }\ntables:\n  t: { use: a, columns: { a: int } }\n".to_vec()),
        ("templates that explode", {
            let levels: String = (0..9).map(|i| format!("  t{i}: {{ use: [{}] }}\n", vec![format!("t{}", i + 1); 10].join(", "))).collect();
            format!("pgplumb: 1\ntemplates:\n{levels}tables:\n  t: {{ use: t0, columns: {{ a: int }} }}\n").into_bytes()
        }),
    ];
    let mut fallen = Vec::new();
    for (what, bytes) in cases {
        let path = stage.file("x.yaml", "");
        std::fs::write(&path, bytes).expect("it can be written");
        let ran = within(60, &stage, &["check", &path.display().to_string()]);
        if !survived(&ran) {
            fallen.push(format!("{what}: {:?} {}", ran.status, ran.err.chars().take(300).collect::<String>()));
        }
    }
    assert!(fallen.is_empty(), "{}", fallen.join("\n"));
}

#[test]
fn odd_files_are_left_alone_or_refused() {
    let stage = Stage::with("", "tables:\n  t: { columns: { a: int } }\n");
    let directory = stage.path("schema");
    std::os::unix::fs::symlink("/", directory.join("root")).expect("a link");
    std::os::unix::fs::symlink(&directory, directory.join("loop")).expect("a link");
    std::os::unix::fs::symlink("/etc/passwd", directory.join("passwd.yaml")).expect("a link");
    let fifo = directory.join("pipe.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
    let ran = within(10, &stage, &["check"]);
    assert!(ran.ok().out.contains("in 1 file"), "{ran}");
    within(10, &stage, &["check", &fifo.display().to_string()]).refused(&["pipe.yaml"]);
    std::fs::create_dir(directory.join("dir.yaml")).expect("a directory");
    within(10, &stage, &["check"]).ok();
    within(10, &stage, &["check", "/dev/zero"]).refused(&["/dev/zero"]);
    // A plan or settings file may be as odd.
    for (command, file) in [("apply", "/dev/null"), ("show", "/dev/null"), ("apply", "schema"), ("show", "nothere")] {
        let ran = within(10, &stage, &[command, file]);
        assert!(survived(&ran) && ran.status == Some(1), "{ran}");
    }
    for settings in ["a: [", "nosuch: 1", "targets: 5", "\0", "scratch: [x]"] {
        stage.file("pgplumb.yaml", settings);
        within(10, &stage, &["check"]).refused(&["pgplumb.yaml"]);
    }
}

#[test]
fn file_reads_nothing_outside_the_declaration() {
    let stage = Stage::new();
    stage.file("secret.sql", "select 'SECRET'");
    stage.file("schema/bodies/f.sql", "select 1");
    stage.file("schema/bin.sql", "select '\u{1}'");
    std::fs::write(stage.path("schema/latin.sql"), b"select '\xE4'").expect("a file");
    std::fs::write(stage.path("schema/nul.sql"), b"select '\0'").expect("a file");
    let schema = stage.path("schema");
    std::os::unix::fs::symlink("../secret.sql", schema.join("link.sql")).expect("a link");
    std::os::unix::fs::symlink("..", schema.join("up")).expect("a link");
    assert!(std::process::Command::new("mkfifo").arg(schema.join("pipe.sql")).status().expect("mkfifo runs").success());
    let absolute = stage.path("secret.sql").display().to_string();
    let with = |file: &str| {
        let yaml = format!(
            "functions:\n  f(): {{ returns: int, language: sql, file: {} }}\n",
            serde_json::to_string(file).expect("JSON")
        );
        stage.declare(&yaml);
        within(10, &stage, &["check"])
    };
    with("bodies/f.sql").ok();
    with("./bodies/../bodies/f.sql");
    for file in [
        "../secret.sql",
        "bodies/../../secret.sql",
        &absolute,
        "/etc/passwd",
        "link.sql",
        "up/secret.sql",
        "pipe.sql",
        "bodies",
        "",
        ".",
        "nul.sql",
        "latin.sql",
        "/dev/zero",
        "nothere.sql",
        "a\nb",
    ] {
        let ran = with(file);
        ran.refused(&["all.yaml:3:"]);
        assert!(!ran.err.contains("SECRET") && !ran.err.contains("root:"), "{file}: {ran}");
    }
}

#[test]
fn the_loader_survives_what_chance_makes_of_declarations() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for directory in ["tests/check_cases", "tests/systems"] {
        collect(&root.join(directory), &mut seeds);
    }
    assert!(seeds.len() > 5);
    seeds.iter_mut().for_each(|seed| seed.truncate(4000));
    const TOKENS: &[&str] = &[
        "'",
        "\"",
        "$$",
        "$x$",
        ";",
        "--",
        "/*",
        "*/",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ": ",
        "\n",
        "\n  ",
        "# ",
        "|",
        ">-",
        "&a ",
        "*a",
        "~",
        "null",
        "${table}",
        "${",
        "\\",
        "\u{0}",
        "\u{FEFF}",
        "\u{202E}",
        "é",
        "select",
        "drop table x",
        "::",
        "=",
        "?",
        "%",
        "@",
        "`",
        "!",
        "- ",
        "use: ",
        "file: ",
        "references ",
        "tables:",
        "columns:",
        "generated always as identity",
        "1e999",
        "U&'\\0000'",
        "E'\\",
        "x'",
        "B'2'",
        "$1",
        ":name",
        "\t",
    ];
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("x.yaml");
    let mut rng = Rng(7);
    let end = Instant::now() + Duration::from_secs(8);
    let (mut runs, mut read) = (0, 0);
    // A number of runs, so that each run of the test is the same; the clock only guards against slow machines.
    while runs < 3_000 && Instant::now() < end {
        let mut bytes = rng.pick(&seeds).clone();
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(bytes.len() + 1);
            match rng.below(5) {
                0 => drop(bytes.splice(at..at, rng.pick(TOKENS).bytes())),
                1 => drop(bytes.drain(at..(at + rng.below(20)).min(bytes.len()))),
                2 => {
                    let other = rng.pick(&seeds).clone();
                    let from = rng.below(other.len());
                    let piece: Vec<u8> = other[from..].iter().copied().take(rng.below(200)).collect();
                    drop(bytes.splice(at..at, piece));
                }
                3 if at < bytes.len() => bytes[at] = (rng.next() >> 56) as u8,
                _ => {
                    let piece: Vec<u8> = bytes[at..].iter().copied().take(rng.below(60)).collect();
                    let to = rng.below(bytes.len() + 1);
                    drop(bytes.splice(to..to, piece));
                }
            }
        }
        std::fs::write(&path, &bytes).expect("it can be written");
        let started = Instant::now();
        let result = pgplumb::declare::read(&path);
        assert!(started.elapsed() < Duration::from_secs(5), "{}", String::from_utf8_lossy(&bytes));
        read += usize::from(result.is_ok());
        runs += 1;
    }
    assert!(runs > 100 && read > 0, "{runs} runs, {read} read");
}

fn collect(directory: &Path, seeds: &mut Vec<Vec<u8>>) {
    let mut paths: Vec<_> =
        std::fs::read_dir(directory).expect("a directory").map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, seeds);
        } else if path.extension().is_some_and(|e| e == "yaml") {
            seeds.push(std::fs::read(path).expect("a file"));
        }
    }
}

// Names.

/// Names that try to be something else.
const NAMES: &[&str] = &[
    "x\"; drop table canary; --",
    "x'; drop table canary; --",
    "\"",
    "\"\"",
    "'",
    "''",
    "\\",
    "\\'; drop table canary; --",
    "$$",
    "$a$",
    "$1",
    "a\nb",
    "a\r\nb",
    "a\tb",
    " a ",
    " ",
    ".",
    "a.b",
    "\"a\".\"b\"",
    "a/b",
    "table a/column b",
    "*",
    "%",
    "%s%n",
    "{}",
    "{a,b}",
    "a=b/c",
    "=r/postgres",
    "public",
    "select",
    "NULL",
    "null",
    "~",
    "true",
    "yes",
    "1",
    "1.10",
    "0x1F",
    "-",
    "- a",
    "a: b",
    "a #b",
    "#",
    "&a",
    "*a",
    "!a",
    "|",
    ">",
    "@",
    "`",
    "${x}",
    "${table}",
    "ünïcödé",
    "İ",
    "ß",
    "e\u{301}",
    "é",
    "\u{202E}abc",
    "a\u{200B}b",
    "\u{FEFF}",
    "\u{A0}",
    "\u{1F600}",
    "--",
    "/*",
    "*/",
    ";",
    "(a)",
    "f()",
    "a,b",
    "a->b",
    "regclass",
    "pg_catalog",
    "pg_x",
    "oid",
    "CamelCase",
    "a__pgplumb_old",
    "U&\"\\0041\"",
    "E'a'",
    "a\u{1}b",
    "a\u{7F}b",
];

/// Names made of what hurts.
fn random_names(rng: &mut Rng, count: usize) -> Vec<String> {
    const PARTS: &[&str] = &[
        "\"",
        "'",
        "\\",
        "$",
        ";",
        "--",
        "\n",
        " ",
        ".",
        "a",
        "B",
        "é",
        "/",
        "=",
        "{",
        "}",
        "(",
        ")",
        ",",
        "*",
        "%",
        "#",
        ":",
        "\u{202E}",
        "drop table canary",
    ];
    let mut names: Vec<String> = Vec::new();
    while names.len() < count {
        let name: String = (0..1 + rng.below(6)).map(|_| *rng.pick(PARTS)).collect();
        if name.len() <= 40 && !names.contains(&name) && !NAMES.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

fn sql_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn map(entries: Vec<(&str, Value)>) -> Value {
    Value::Mapping(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

/// A declaration in which everything bears such names.
fn named(names: &[String]) -> String {
    let text = |text: String| Value::String(text);
    let mut sections: Vec<(&str, Mapping)> =
        ["tables", "views", "materialized_views", "enums", "domains", "sequences", "functions"]
            .map(|key| (key, Mapping::new()))
            .into();
    let mut put = |section: usize, name: &str, value: Value| drop(sections[section].1.insert(name.into(), value));
    for (n, name) in names.iter().enumerate() {
        let quoted = sql_name(name);
        // One name space holds all relations and types: a letter before the name tells the kinds apart.
        let own = |letter: char| sql_name(&format!("{letter}{name}"));
        let key = |letter: char| text(format!("{letter}{name}"));
        let column = |sql: &str| text(format!("{sql} default '{}'", name.replace('\'', "''")));
        let mut columns = Mapping::new();
        columns.insert("id".into(), "int primary key".into());
        columns.insert(text(name.clone()), column("text"));
        let one = |letter: char, value: Value| Value::Mapping([(key(letter), value)].into_iter().collect());
        let table = map(vec![
            ("columns", Value::Mapping(columns)),
            ("comment", text(format!("{name}'\\\"; drop table canary; --"))),
            (
                "indexes",
                one(
                    'i',
                    map(vec![
                        ("keys", text(format!("{quoted}, lower({quoted})"))),
                        ("where", text(format!("{quoted} <> 'x'"))),
                    ]),
                ),
            ),
            ("checks", one('c', text(format!("{quoted} <> '{}x'", name.replace('\'', "''"))))),
            ("uniques", one('u', map(vec![("columns", Value::Sequence(vec![text(name.clone())]))]))),
            ("policies", one('p', map(vec![("using", text(format!("{quoted} = current_user")))]))),
            (
                "triggers",
                one(
                    'g',
                    map(vec![
                        ("timing", "before".into()),
                        ("events", text(format!("update of {quoted}"))),
                        ("level", "row".into()),
                        ("execute", "suppress_redundant_updates_trigger()".into()),
                    ]),
                ),
            ),
            ("rls", "enabled".into()),
            ("grants", map(vec![("hostile; drop role'", Value::Sequence(vec!["select".into()]))])),
            (
                "rows",
                Value::Sequence(vec![Value::Mapping(
                    [
                        ("id".into(), text("1".into())),
                        (text(name.clone()), text(format!("{name}'; drop table canary; --"))),
                    ]
                    .into_iter()
                    .collect(),
                )]),
            ),
        ]);
        put(0, &own('t'), table);
        put(
            1,
            &own('v'),
            map(vec![("query", text(format!("select {quoted} from {}", own('t')))), ("comment", text(name.clone()))]),
        );
        put(2, &own('m'), map(vec![("query", text(format!("select {quoted} from {}", own('t'))))]));
        put(3, &own('e'), map(vec![("values", Value::Sequence(vec![text(name.clone()), text(format!("{name}2"))]))]));
        put(
            4,
            &own('d'),
            map(vec![
                ("type", "text".into()),
                ("checks", one('k', text(format!("value <> '{}'", name.replace('\'', "''"))))),
            ]),
        );
        put(5, &own('s'), map(vec![("comment", text(name.clone()))]));
        put(
            6,
            &format!("{}({} {})", own('f'), sql_name(&format!("a{n}")), own('e')),
            map(vec![
                ("returns", "text".into()),
                ("language", "sql".into()),
                ("body", text(format!("select '{}$$;{}'::text", name.replace('\'', "''"), name.replace('\'', "''")))),
                ("set", map(vec![("search_path", text(format!("{}, public", sql_name(name))))])),
            ]),
        );
    }
    let mut all = Mapping::new();
    all.insert("pgplumb".into(), 1.into());
    for (key, section) in sections {
        all.insert(key.into(), Value::Mapping(section));
    }
    serde_yaml::to_string(&Value::Mapping(all)).expect("YAML")
}

/// Every name that is in the catalog, by kind.
const CATALOG: &str = "select json_agg(x order by x collate \"C\") from (
    select relkind::text || relname x from pg_class where relnamespace = 'public'::regnamespace and relname <> 'canary'
    union all select 'attribute ' || attname from pg_attribute join pg_class c on c.oid = attrelid where relkind = 'r' and attnum > 1 and relnamespace = 'public'::regnamespace and relname <> 'canary'
    union all select 'constraint ' || conname from pg_constraint where connamespace = 'public'::regnamespace
    union all select 'policy ' || polname from pg_policy union all select 'trigger ' || tgname from pg_trigger
    union all select 'enum ' || typname || ' ' || string_agg(enumlabel, ' | ' order by enumsortorder) from pg_enum join pg_type t on t.oid = enumtypid group by typname
    union all select 'function ' || proname from pg_proc where pronamespace = 'public'::regnamespace
    union all select 'comment ' || description from pg_description where objoid >= 16384 and description not like 'The journal %') all_names";

#[test]
fn names_are_exactly_what_they_are() {
    role("hostile; drop role'", "");
    let mut rng = Rng(11);
    let mut names: Vec<String> = NAMES.iter().map(|n| (*n).to_owned()).collect();
    names.extend(random_names(&mut rng, 40));
    let stage = Stage::with("create table canary (id int); insert into canary values (1);", "");
    stage.file("schema/all.yaml", &format!("{}\nignore: [public.canary]\n", named(&names)));
    let plan = stage.planned(&[]);
    stage.apply(&plan).ok();
    stage.agrees();
    stage.on(&["drift"]).ok();
    assert_eq!(stage.sql("select count(*) from canary"), "1");

    let found: Vec<String> = serde_json::from_str(&stage.sql(CATALOG)).expect("JSON");
    let mut wanted: Vec<String> = Vec::new();
    for name in &names {
        // PostgreSQL's own derived names.
        wanted.extend([
            format!("rt{name}"),
            format!("it{name}_pkey"),
            format!("ii{name}"),
            format!("iu{name}"),
            format!("vv{name}"),
            format!("mm{name}"),
            format!("Ss{name}"),
        ]);
        wanted.push(format!("attribute {name}"));
        wanted.extend(["u", "c", "k"].map(|letter| format!("constraint {letter}{name}")));
        wanted.push(format!("constraint t{name}_pkey"));
        wanted.extend([
            format!("policy p{name}"),
            format!("trigger g{name}"),
            format!("enum e{name} {name} | {name}2"),
            format!("function f{name}"),
        ]);
        wanted.extend([
            format!("comment {name}'\\\"; drop table canary; --"),
            format!("comment {name}"),
            format!("comment {name}"),
        ]);
    }
    // Names that PostgreSQL 18 gives to NOT NULL are its own.
    let found: Vec<String> = found.into_iter().filter(|f| !f.ends_with("_not_null")).collect();
    wanted.sort();
    let diff = similar::TextDiff::from_slices(
        &wanted.iter().map(String::as_str).collect::<Vec<_>>(),
        &found.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    assert!(
        found == wanted,
        "{}",
        diff.iter_all_changes()
            .filter(|c| c.tag() != similar::ChangeTag::Equal)
            .map(|c| format!("{}{:?}\n", c.tag(), c.value()))
            .collect::<String>()
    );

    // What is read back says the same, and everything can be taken away again.
    let out = stage.path("read").display().to_string();
    stage.on(&["inspect", "--out", &out]).ok();
    let ran = stage.on(&["plan", &out, "--exit-code"]);
    assert_eq!(ran.status, Some(0), "{ran}");
    let path = plan.display().to_string();
    let ran = stage.on(&["rollback", &path, "--yes"]);
    let flags: Vec<&str> =
        ran.err.lines().filter_map(|l| l.trim().strip_prefix("--allow '")).map(|l| l.trim_end_matches('\'')).collect();
    assert!(ran.status == Some(0) || !flags.is_empty(), "{ran}");
    assert_eq!(stage.sql("select count(*) from canary"), "1");
    for format in ["human", "sql", "markdown", "json"] {
        stage.run(&["show", &path, "--format", format]).ok();
    }
}

#[test]
fn names_that_no_identifier_can_hold_are_refused() {
    for name in ["a\u{0}b", &"x".repeat(64), &"é".repeat(32), ""] {
        for yaml in [
            map(vec![(
                "tables",
                map(vec![(&sql_name(name), map(vec![("columns", map(vec![("id", "int".into())]))]))]),
            )]),
            map(vec![("tables", map(vec![("t", map(vec![("columns", map(vec![(name, "int".into())]))]))]))]),
            map(vec![("schemas", Value::Sequence(vec![name.into()]))]),
        ] {
            let stage = Stage::new();
            stage.declare(&serde_yaml::to_string(&yaml).expect("YAML"));
            within(10, &stage, &["check"]).refused(&["all.yaml:"]);
        }
    }
}

// SQL that tries to leave its place.

/// Positions of SQL in a declaration, as YAML with `SQL` where it stands, and SQL that fits there.
const PLACES: &[(&str, &str)] = &[
    ("tables: { t: { columns: { id: int, a: SQL } } }", "int"),
    ("tables: { t: { columns: { id: int, a: { type: SQL } } } }", "int"),
    ("tables: { t: { columns: { id: int, a: { type: int, default: SQL } } } }", "1"),
    ("tables: { t: { columns: { id: int, a: { type: int, generated: SQL } } } }", "1"),
    ("tables: { t: { columns: { id: int, a: { type: int, check: SQL } } } }", "true"),
    ("tables: { t: { columns: { id: int, a: { type: text, collation: SQL } } } }", "\"C\""),
    ("tables: { t: { columns: { id: int, a: { type: int, not_null: true, backfill: SQL } } } }", "1"),
    ("tables: { t: { columns: { id: int primary key, a: { type: int, references: SQL } } } }", "t (id)"),
    ("tables: { t: { primary_key: SQL, columns: { id: int } } }", "id"),
    ("tables: { t: { uniques: { u: SQL }, columns: { id: int } } }", "id"),
    ("tables: { t: { checks: { c: SQL }, columns: { id: int } } }", "true"),
    ("tables: { t: { foreign_keys: { f: SQL }, columns: { id: int primary key } } }", "(id) references t (id)"),
    ("tables: { t: { exclusions: { e: SQL }, columns: { id: int } } }", "using btree (id with =)"),
    ("tables: { t: { indexes: { i: SQL }, columns: { id: int } } }", "id"),
    ("tables: { t: { indexes: { i: { keys: id, where: SQL } }, columns: { id: int } } }", "true"),
    ("tables: { t: { indexes: { i: { keys: id, using: SQL } }, columns: { id: int } } }", "btree"),
    ("tables: { t: { indexes: { i: { keys: id, include: SQL } }, columns: { id: int } } }", "id"),
    ("tables: { t: { indexes: { i: { keys: id, with: { fillfactor: SQL } } }, columns: { id: int } } }", "70"),
    ("tables: { t: { policies: { p: { using: SQL } }, columns: { id: int } } }", "true"),
    ("tables: { t: { policies: { p: { for: insert, check: SQL } }, columns: { id: int } } }", "true"),
    ("tables: { t: { policies: { p: { using: 'true', to: [SQL] } }, columns: { id: int } } }", "public"),
    ("tables: { t: { triggers: { g: { timing: before, events: SQL, execute: suppress_redundant_updates_trigger(), level: row } }, columns: { id: int } } }", "update"),
    ("tables: { t: { triggers: { g: { timing: before, events: update, execute: SQL, level: row } }, columns: { id: int } } }", "suppress_redundant_updates_trigger()"),
    ("tables: { t: { triggers: { g: { timing: before, events: update, execute: suppress_redundant_updates_trigger(), level: row, when: SQL } }, columns: { id: int } } }", "true"),
    ("tables: { t: { with: { fillfactor: SQL }, columns: { id: int } } }", "70"),
    ("tables: { t: { with: { 'SQL': 70 }, columns: { id: int } } }", "fillfactor"),
    ("tables: { t: { owner: SQL, columns: { id: int } } }", "postgres"),
    ("tables: { t: { grants: { postgres: [SQL] }, columns: { id: int } } }", "select"),
    ("tables: { t: { grants: { SQL: [select] }, columns: { id: int } } }", "postgres"),
    ("tables: { t: { replica_identity: SQL, columns: { id: int } } }", "full"),
    ("tables: { t: { comment: SQL, columns: { id: int } } }", "x"),
    ("tables: { t: { columns: { id: int primary key, a: text }, rows: [{ id: 1, a: SQL }] } }", "x"),
    ("tables: { t: { columns: { id: { type: int, identity: SQL } } } }", "always"),
    ("tables: { t: { columns: { id: { type: text, storage: SQL } } } }", "main"),
    ("tables: { t: { columns: { id: { type: text, compression: SQL } } } }", "pglz"),
    ("views: { v: { query: SQL } }", "select 1 as a"),
    ("views: { v: { query: select 1 as a, columns: [SQL] } }", "b"),
    ("materialized_views: { v: { query: SQL } }", "select 1 as a"),
    ("enums: { e: [SQL] }", "x"),
    ("domains: { d: SQL }", "text"),
    ("domains: { d: { type: text, default: SQL } }", "'x'"),
    ("domains: { d: { type: text, checks: { c: SQL } } }", "true"),
    ("sequences: { s: { type: SQL } }", "integer"),
    ("sequences: { s: { owned_by: SQL } }", "t.id"),
    ("functions: { 'f(SQL)': { returns: int, language: sql, body: select 1 } }", "a int"),
    ("functions: { f(): { returns: SQL, language: sql, body: select 1 } }", "int"),
    ("functions: { f(): { returns: int, language: SQL, body: select 1 } }", "sql"),
    ("functions: { f(): { returns: int, language: sql, body: SQL } }", "select 1"),
    ("functions: { f(): { returns: int, language: sql, atomic: SQL } }", "select 1;"),
    ("functions: { f(): { returns: int, language: sql, atomic: SQL } }", "return 1"),
    ("functions: { f(): { returns: int, language: sql, body: select 1, set: { work_mem: SQL } } }", "4MB"),
    ("functions: { f(): { returns: int, language: sql, body: select 1, set: { 'SQL': x } } }", "app.x"),
    ("functions: { f(): { returns: int, language: sql, body: select 1, cost: SQL } }", "10"),
    ("functions: { f(): { returns: int, language: sql, body: select 1, support: SQL } }", "pg_catalog.int4_sum"),
    ("extensions: { SQL: {} }", "plpgsql"),
    ("extensions: { plpgsql: { version: SQL } }", "1.0"),
];

/// What is tried after and around SQL that fits. Each would make a table `injected` or drop the canary.
const ATTEMPTS: &[&str] = &[
    "GOOD; create table injected ()",
    "GOOD); create table injected (id int",
    "GOOD)); create table injected ((",
    "GOOD; drop table canary; --",
    "GOOD); drop table canary; --",
    "GOOD -- ",
    "GOOD /* ",
    "GOOD /* */ -- x",
    "GOOD --\n; drop table canary",
    "GOOD $$ ; drop table canary; $$",
    "GOOD\u{0}; drop table canary",
    "GOOD'; drop table canary; --",
    "GOOD\"; drop table canary; --",
    "GOOD\\'; drop table canary; --",
    "$$; drop table canary; $$",
    "$function$; drop table canary; $function$",
    "GOOD; end; drop table canary; create function g() returns int language sql begin atomic select 1;",
    "GOOD end; drop table canary; select 1",
    "GOOD, injected int",
    "GOOD) with (fillfactor = 70",
    "GOOD) inherits (canary",
    "GOOD check (true) not valid",
    "GOOD; select 1;",
    "select 1; drop table canary",
    "GOOD\n\\! touch injected",
    "GOOD\n\\.\ndrop table canary;",
    "U&'\\0027; drop table canary; --'",
    "E'\\'; drop table canary; --'",
    "(select 1 from pg_terminate_backend(0))",
    "GOOD; commit; drop table canary; begin",
    "GOOD rows 1 as $x$select 1$x$ language sql; drop table canary; --",
    "{GOOD; drop table canary}",
    "GOOD with check option; drop table canary",
    "GOOD\r; drop table canary",
];

#[test]
fn sql_stays_where_it_stands() {
    let stage = Stage::with("create table canary (id int); insert into canary values (1);", "");
    let path = stage.path("schema/all.yaml");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (mut accepted, mut ran, mut wrong) = (0, 0, Vec::new());
    for (place, good) in PLACES {
        for attempt in ATTEMPTS.iter().chain([&"GOOD"]) {
            let sql = attempt.replace("GOOD", good);
            let quoted = |text: &str| serde_json::to_string(text).expect("JSON");
            let yaml = if place.contains("'f(SQL)'") {
                place.replace("'f(SQL)'", &quoted(&format!("f({sql})")))
            } else {
                place.replace("'SQL'", "SQL").replace("SQL", &quoted(&sql))
            };
            stage.declare(&format!("{yaml}\n"));
            let drafts = match pgplumb::declare::read(&path) {
                Ok(declaration) => declaration.drafts,
                Err(error) if *attempt == "GOOD" => {
                    wrong.push(format!("refused: {yaml}: {error}"));
                    continue;
                }
                Err(_) => continue,
            };
            accepted += 1;
            match runtime.block_on(run_and_undo(&stage, drafts)) {
                Ok(fine) => ran += usize::from(fine),
                Err(state) => wrong.push(format!("escaped: {state}: {yaml}")),
            }
        }
    }
    println!("{accepted} of {} were accepted, {ran} of them run", PLACES.len() * (ATTEMPTS.len() + 1));
    assert!(wrong.is_empty(), "{} of {accepted}\n{}", wrong.len(), wrong.join("\n"));
}

/// Runs what creates the drafts in a transaction and rolls it back. Whether it ran to its end; Err is a state of
/// the database that only SQL outside its place can have made.
async fn run_and_undo(stage: &Stage, drafts: Vec<pgplumb::kinds::Draft>) -> Result<bool, String> {
    use pgplumb::catalog::{connect::Target, Session, Surroundings, Unmanaged};
    const STATE: &str = "select concat_ws(' ', (select count(*) from pg_class where relname = 'canary'), (select count(*) from pg_class where relname = 'injected'),
        (select count(*) from pg_attribute where attname = 'injected'), (select count(*) from pg_inherits))";
    let words = |error: tokio_postgres::Error| error.to_string();
    let model = pgplumb::model::Model::new(drafts.into_iter().map(|draft| draft.node).collect());
    let (empty, unmanaged, surroundings) =
        (pgplumb::model::Model::default(), Unmanaged::default(), Surroundings::default());
    let target = Target::resolve(Some(&stage.url()), &|_| None).map_err(|error| error.to_string())?;
    let session = Session::open(&target).await.map_err(|error| error.to_string())?;
    let input = pgplumb::plan::Input {
        actual: &empty,
        desired: &model,
        unmanaged: &unmanaged,
        surroundings: &surroundings,
        major: session.major,
        search_path: &pgplumb::plan::SearchPath::default(),
    };
    let Ok(steps) = pgplumb::plan::steps(&input) else { return Ok(false) };
    let client = &session.client;
    client.batch_execute("BEGIN; SET LOCAL search_path = public").await.map_err(words)?;
    let mut fine = true;
    for sql in steps.iter().filter(|step| step.at != "schema public").flat_map(|step| &step.sql) {
        if client.batch_execute(sql).await.is_err() {
            fine = false;
            break;
        }
    }
    let mut states = Vec::new();
    if fine {
        states.push(client.query_one(STATE, &[]).await.map_err(words)?.get::<_, String>(0));
    }
    client.batch_execute("ROLLBACK").await.map_err(words)?;
    states.push(client.query_one(STATE, &[]).await.map_err(words)?.get::<_, String>(0));
    // For the next one.
    client
        .batch_execute("drop table if exists public.injected; create table if not exists public.canary (id int)")
        .await
        .map_err(words)?;
    match states.into_iter().find(|state| state != "1 0 0 0") {
        Some(state) => Err(state),
        None => Ok(fine),
    }
}
