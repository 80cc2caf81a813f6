//! Scratch: what is declared runs there with no rights beyond it, in one of three places that are named and
//! explained; nothing is left behind, and two runs never meet.
//!
//! Each attack is first shown to work where the declaration is compiled as a superuser, on a server that the user
//! names for it: there it has that role's rights, and that is said.

mod support;

use pgplumb::compile::server::installs;
use pgplumb::compile::surroundings::Stubs;
use pgplumb::compile::{self, Place, Scratch};
use pgplumb::model::Model;
use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use support::server::{majors, Server};
use support::stage::{role, server, soon, Ran, Stage};

/// A declaration that calls `evil()` while it is built, for the default of a reference row.
const CALLED: &str = "
tables:
  t:
    columns: { id: int primary key, x: int default evil() }
    rows: [{ id: 1 }]
functions:
  evil():
    returns: int
    language: plpgsql
    OPTIONS
    body: |
      declare name text; begin
        BODY
        return 1;
      end
";

/// What it does. Each makes the file MARK if it can; only then it was worth it.
const ATTACKS: &[(&str, &str)] = &[
    ("a program", "copy (select 1) to program 'touch MARK';"),
    ("a file", "copy (select 1) to 'MARK';"),
    ("a large object in a file", "perform lo_from_bytea(4711, 'x'); perform lo_export(4711, 'MARK');"),
    ("reading a file", "perform pg_read_file('/etc/passwd'); copy (select 1) to 'MARK';"),
    ("going back to the login role", "execute 'reset role'; copy (select 1) to 'MARK';"),
    ("another session role", "execute 'reset session authorization'; copy (select 1) to 'MARK';"),
    ("becoming a superuser", "execute format('alter role %I superuser', current_user); copy (select 1) to 'MARK';"),
    (
        "a predefined role",
        "execute format('grant pg_write_server_files to %I', current_user); copy (select 1) to 'MARK';",
    ),
];

/// A directory that the server may write to, and the file in it.
struct Mark {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl Mark {
    fn new() -> Self {
        let directory = tempfile::tempdir_in("/tmp").expect("a directory");
        std::fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).expect("its mode");
        let path = directory.path().join("mark");
        Self { _directory: directory, path }
    }

    fn in_text(&self, text: &str) -> String {
        text.replace("MARK", &self.path.display().to_string())
    }
}

#[test]
fn declared_code_reaches_nothing_outside_of_its_database() {
    let mark = Mark::new();
    for (what, body) in ATTACKS {
        let yaml = CALLED.replace("OPTIONS", "").replace("BODY", &mark.in_text(body));
        let stage = Stage::with("", &yaml);
        let shared = alone();
        let ran = stage.run(&["compile"]);
        drop(shared);
        assert!(mark.path.exists(), "{what} does not work as a superuser, so that this shows nothing: {ran}");
        std::fs::remove_file(&mark.path).expect("the mark");
        forget(&stage);

        let ran = stage.run(&["compile", "--scratch", "local"]);
        ran.refused(&["(42501)"]);
        assert!(!mark.path.exists(), "{what}: {ran}");
    }
    // Whose rights a function has changes nothing: all are the same role's.
    let yaml = CALLED.replace("OPTIONS", "security_definer: true");
    let stage = Stage::with("", &yaml.replace("BODY", &mark.in_text("copy (select 1) to program 'touch MARK';")));
    stage.run(&["compile", "--scratch", "local"]).refused(&["(42501)"]);
    assert!(!mark.path.exists());
}

/// What tries to be run by the superuser's session that stands beside: it completes what only it may define.
#[test]
fn the_superuser_beside_runs_nothing_that_was_declared() {
    let mark = Mark::new();
    // It waits for whoever can do it.
    let evil = mark.in_text(
        "if (select rolsuper from pg_roles where rolname = current_user) then copy (select 1) to program 'touch MARK'; end if;",
    );
    let literal = |function: &str| {
        format!(
            "
domains:
  d: int check (evil(value))
functions:
  evil(int):
    returns: boolean
    language: plpgsql
    body: |
      begin {evil} return true; end
  {function}"
        )
    };
    let cases = [
        ("settings of the database that lead its session astray", settings_case(&evil)),
        (
            "a literal in a default of a leakproof function",
            literal("f(a d[] default '{1}'): { returns: int, language: sql, leakproof: true, body: select 1 }\n"),
        ),
        (
            "a literal in a bound body of a leakproof function",
            literal("f(): { returns: \"d[]\", leakproof: true, atomic: \"select '{1}'::d[]\" }\n"),
        ),
        (
            "a literal in a default of a function in another language",
            literal("f(a d[] default '{1}'): { returns: int, language: internal, body: int4pl }\n"),
        ),
    ];
    for (what, yaml) in cases {
        let stage = Stage::with("", &yaml);
        let ran = stage.run(&["compile", "--scratch", "local"]);
        assert!(!mark.path.exists(), "{what}: {ran}");
        assert!(!ran.err.contains("panicked"), "{what}: {ran}");
    }
}

/// A `set_config` of its own, found first by whoever connects afterwards, and something left to complete.
fn settings_case(evil: &str) -> String {
    format!(
        "
functions:
  set_config(text, text, boolean):
    returns: text
    language: plpgsql
    body: |
      begin {evil} return ''; end
  needs_completion():
    returns: int
    language: sql
    leakproof: true
    body: select 1
  evil():
    returns: int
    language: plpgsql
    body: |
      begin
        execute format('alter database %I set search_path = public, pg_catalog', current_database());
        return 1;
      end
tables:
  t:
    columns: {{ id: int primary key, x: int default evil() }}
    rows: [{{ id: 1 }}]
"
    )
}

#[test]
fn code_from_outside_the_server_is_not_run() {
    let library =
        "functions:\n  system(cstring):\n    returns: int\n    language: c\n    library: LIBRARY\n    body: system\n";
    let elsewhere = std::env::current_exe().expect("this program").display().to_string();
    for path in [elsewhere.as_str(), "/lib/x86_64-linux-gnu/libc.so.6", "$libdir/../evil"] {
        let stage = Stage::with("", &library.replace("LIBRARY", path));
        let ran = stage.run(&["compile", "--scratch", "local"]);
        ran.refused(&["all.yaml:3:3", "permission denied for language c", "--scratch URL"]);
    }
}

/// An untrusted language, where the server has one that works.
#[test]
fn untrusted_languages_are_compiled_and_not_run() {
    for major in majors() {
        let test = Server::start(major);
        let works = test.has_extension("pltclu") && test.psql("postgres", "create extension pltclu").is_ok();
        if !works {
            println!("PostgreSQL {major} has no untrusted language here");
            continue;
        }
        let mark = Mark::new();
        let yaml = mark.in_text(
            "extensions: { pltclu: { schema: pg_catalog } }
functions:
  evil():
    returns: int
    language: pltclu
    body: exec touch MARK; return 1
tables:
  t:
    columns: { id: int primary key, x: int default evil() }
    rows: [{ id: 1 }]
",
        );
        let shared = Place::Server(Box::new(test.target("postgres")));
        let wanted = compiled(&yaml, &shared, major);
        assert!(mark.path.exists(), "as a superuser it runs, or this shows nothing");
        std::fs::remove_file(&mark.path).expect("the mark");
        assert_eq!(compiled(&yaml, &Place::local(None), major), wanted);
        assert!(!mark.path.exists());
    }
}

fn compiled(yaml: &str, place: &Place, major: u32) -> Vec<String> {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("all.yaml"), format!("pgplumb: 1\n{yaml}")).expect("a file");
    compiled_in(directory.path(), place, major)
}

fn compiled_in(directory: &std::path::Path, place: &Place, major: u32) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut reading = compile::read(directory, None, &BTreeSet::new()).unwrap_or_else(|error| panic!("{error}"));
        let increments = reading.increments(None, &[major], &Stubs::default(), false);
        let all = increments.expect("no lock").remove(&major).expect("all of it");
        let mut scratch = Scratch::open(place, major, &[], &|_| None).await.unwrap_or_else(|error| panic!("{error}"));
        let compiled = compile::compile(&reading.declaration, all, &mut scratch, &|_| {}).await;
        scratch.close().await.expect("closed");
        let nodes = compiled.unwrap_or_else(|error| panic!("{error}")).expect("nothing to clash with");
        words(&Model::new(nodes.into_iter().map(|locked| locked.node).collect()))
    })
}

fn words(model: &Model) -> Vec<String> {
    let line = |n: &pgplumb::model::Node| format!("{} {} {:?}", n.address.path(), n.spec.as_json(), n.needs);
    model.nodes().iter().map(line).collect()
}

/// What only a superuser may define comes out as it was declared.
const PRIVILEGED: &str = r#"
schemas: [app]
functions:
  leaks(a int, b mood default 'good'):
    returns: boolean
    leakproof: true
    immutable: true
    atomic: select a > 1 and b = 'good'
  plain(a mood[]):
    returns: setof t
    language: plpgsql
    leakproof: true
    security_definer: true
    set: { log_min_messages: error, work_mem: 1MB, search_path: "app, pg_temp" }
    body: begin return query select * from app.t; end
  plus(a int, b int):
    returns: int
    language: internal
    immutable: true
    strict: true
    body: int4pl
  counted(out n bigint, out m bigint):
    language: internal
    window: true
    body: window_row_number
procedures:
  logged(a int, inout b int):
    language: sql
    set: { log_statement: "'none'" }
    body: select 1
enums: { mood: [good, bad] }
tables:
  t:
    columns:
      id: int primary key
      three: { type: int, generated: "plus(id, 2)" }
      good: boolean default leaks(1)
    checks: { t_plus: "plus(id, 1) > 0" }
    indexes: { t_plus: "plus(id, 1), leaks(id, 'bad')" }
    rows: [{ id: 1 }]
"#;

#[test]
fn what_only_a_superuser_may_define_comes_out_as_declared() {
    for major in majors() {
        let test = Server::start(major);
        let shared = Place::Server(Box::new(test.target("postgres")));
        let wanted = compiled(PRIVILEGED, &shared, major);
        assert!(wanted.iter().any(|line| line.contains("\"leakproof\":true")), "{wanted:#?}");
        assert_eq!(compiled(PRIVILEGED, &Place::local(None), major), wanted);
    }
}

/// Everything that there is compiles the same within limits.
#[test]
fn a_database_with_everything_in_it_compiles_within_limits() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for major in majors() {
        let test = Server::start(major);
        let database = test.database();
        database.psql(include_str!("inspect/hostile.sql")).unwrap_or_else(|error| panic!("{error}"));
        let directory = tempfile::tempdir().expect("a directory");
        runtime.block_on(async {
            let session = pgplumb::engine::open(&database.target()).await.expect("a session");
            let read = pgplumb::inspect::read(&session, &[]).await.unwrap_or_else(|error| panic!("{error}"));
            let files = read.document(false).files();
            pgplumb::inspect::store(directory.path(), &files, false).unwrap_or_else(|error| panic!("{error}"));
        });
        let shared = Place::Server(Box::new(test.target("postgres")));
        let wanted = compiled_in(directory.path(), &shared, major);
        assert_eq!(compiled_in(directory.path(), &Place::local(None), major), wanted);
    }
}

const SIMPLE: &str = "tables:\n  t:\n    columns: { id: int primary key }\n";

fn databases(stage: &Stage) -> String {
    stage.sql_in_postgres("select string_agg(datname, ' ' order by 1) from pg_database where datname ~ '^pgplumb'")
}

/// One test at a time looks at the databases of the shared server.
static SHARED: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Without the lock, all is compiled.
fn forget(stage: &Stage) {
    std::fs::remove_file(stage.path("schema/schema.lock")).expect("the lock");
}

#[test]
fn the_place_is_named_and_explained() {
    let _alone = alone();
    let stage = Stage::with("", SIMPLE);
    let local = stage.run(&["-v", "compile", "--scratch", "local"]);
    for text in ["a server of its own", "because --scratch says so", "on a local server, PostgreSQL"] {
        assert!(local.ok().err.contains(text), "{text}: {local}");
    }
    forget(&stage);
    let url = stage.run(&["-v", "compile"]);
    for text in ["databases of its own at", "`scratch` in pgplumb.yaml says so", "a superuser"] {
        assert!(url.ok().err.contains(text), "{text}: {url}");
    }
    forget(&stage);
    let target = stage.on(&["-v", "compile", "--scratch", "target"]);
    assert!(target.ok().err.contains("databases of its own beside the target"), "{target}");
    forget(&stage);
    stage.file("pgplumb.yaml", "");
    let default = stage.run(&["-v", "compile"]);
    assert!(default.ok().err.contains("neither --scratch nor `scratch` in pgplumb.yaml says otherwise"), "{default}");
    stage.run(&["compile", "--scratch", "target"]).refused(&["needs a target", "--url"]);
    stage.run(&["compile", "--scratch", "nowhere"]).refused(&["`nowhere` is no place for scratch", "say `local`"]);
    assert_eq!(databases(&stage), "");
}

#[test]
fn what_a_place_lacks_is_said_with_what_to_do() {
    let _alone = alone();
    let stage = Stage::with("", "extensions: [no_such_extension]\n");
    stage
        .run(&["compile"])
        .refused(&["extension no_such_extension is not installed on the scratch server", "--scratch"]);
    stage
        .run(&["compile", "--scratch", "local"])
        .refused(&["extension no_such_extension is not installed for", "--scratch"]);
    let own = server().major();
    if let Some(other) = installs(None).iter().map(|install| install.major).find(|major| *major != own) {
        stage.declare(SIMPLE);
        let other = other.to_string();
        let hint = format!("name a scratch server of PostgreSQL {other}");
        stage.run(&["compile", "--postgres", &other]).refused(&["the scratch server is PostgreSQL", &hint]);
    }
    let nowhere = tempfile::tempdir().expect("a directory");
    let path = nowhere.path().display().to_string();
    stage.run(&["compile", "--scratch", &path]).refused(&["no PostgreSQL server binaries in", "name a directory"]);
    // Whoever may not create databases is told so.
    role("nobody_special", "login");
    let url = stage.scratch().replace("user=postgres", "user=nobody_special");
    stage.declare(SIMPLE);
    stage.run(&["compile", "--scratch", &url]).refused(&["creating a scratch database", "CREATEDB"]);
}

#[test]
fn the_target_is_left_alone_unless_it_is_named_for_it() {
    let _alone = alone();
    role("scratch_reader", "login");
    let log = "create table log (at timestamptz default now()); create table t (id int primary key); insert into t values (1);
        create function evil() returns int language sql as 'insert into log default values; select 1';
        create function watch(id int) returns int language sql as 'insert into public.log default values; select 1';
        create function calm(id int) returns int language sql stable as 'select -1';
        grant select on all tables in schema public to scratch_reader;";
    let yaml = "
tables:
  log: { columns: { at: timestamptz default now() } }
  t:
    columns:
      id: int primary key
      x: { type: int, not_null: true, default: evil(), backfill: evil() }
    checks: { t_watch: watch(id) > 0, t_calm: calm(id) > 0, t_sleep: pg_sleep(id * 1000) is null }
  u:
    columns: { id: int primary key, x: int default evil() }
    rows: [{ id: 1 }]
functions:
  evil():
    returns: int
    language: sql
    body: insert into public.log default values; select 2
  watch(id int): { returns: int, language: sql, body: insert into public.log default values; select 1 }
  calm(id int): { returns: int, language: sql, stable: true, body: select -1 }
";
    let stage = Stage::with(log, yaml);
    let before = stage.dump();
    // A role that may do nothing: with `local`, it does not have to.
    let plan = stage.on_as("scratch_reader", &["plan", "--scratch", "local"]);
    plan.ok();
    for text in [
        "would call public.watch, which is volatile",
        "would call pg_catalog.pg_sleep, which is volatile",
        "check public.t.t_calm: 1 row does not satisfy check t_calm",
    ] {
        assert!(plan.out.contains(text), "{text}: {plan}");
    }
    assert_eq!(stage.sql("select count(*) from log"), "0", "planning ran what was declared, on the target");
    assert_eq!((stage.dump(), databases(&stage)), (before.clone(), String::new()));
    let stale = || std::fs::remove_file(stage.path("schema/schema.lock")).expect("the lock");
    stale();
    stage.on_as("scratch_reader", &["plan", "--scratch", "target"]).refused(&["CREATEDB"]);
    // Beside the target, in a database of its own.
    stage.on(&["plan", "--scratch", "target"]).ok();
    assert_eq!(stage.sql("select count(*) from log"), "0");
    assert_eq!((stage.dump(), databases(&stage)), (before, String::new()));
}

#[test]
fn leftovers_of_killed_runs_go_and_nothing_else_does() {
    let _alone = alone();
    for name in ["scratch_one", "scratch_other"] {
        role(name, "login createdb");
    }
    let stage = Stage::with("", SIMPLE);
    let now: i64 = stage.sql_in_postgres("select extract(epoch from now())::int8").parse().expect("a number");
    let name = |age: i64, count: u32| format!("pgplumb_scratch_{}_0123456789abcdef_{count}", now - age);
    let make = |name: &str, owner: &str| {
        stage.sql_in_postgres(&format!("create database {name} owner {owner} template template0"))
    };
    let (old, busy, fresh, others) = (name(7200, 1), name(7200, 2), name(60, 3), name(7200, 4));
    make(&old, "scratch_one");
    make(&busy, "scratch_one");
    make(&fresh, "scratch_one");
    make(&others, "scratch_other");
    make("pgplumb_scratch_of_finance", "scratch_one");
    let url = stage.scratch().replace("user=postgres", "user=scratch_one");
    let mut at_work = stage.session();
    at_work.feed(&format!("\\c {busy}\nselect 1;"));
    soon("the session is there", || {
        stage.sql_in_postgres(&format!("select count(*) from pg_stat_activity where datname = '{busy}'")) == "1"
    });
    stage.run(&["compile", "--scratch", &url]).ok();
    let mut kept = vec![busy.clone(), fresh.clone(), others.clone(), "pgplumb_scratch_of_finance".to_owned()];
    kept.sort();
    let mut found: Vec<String> = databases(&stage).split(' ').map(str::to_owned).collect();
    found.sort();
    assert_eq!(found, kept);
    at_work.end();
    for name in kept {
        stage.sql_in_postgres(&format!("drop database {name} with (force)"));
    }
}

/// A declaration that takes its time in scratch.
const SLOW: &str = "
tables:
  t:
    columns: { id: int primary key, x: text default 'x' || pg_sleep(30)::text }
    rows: [{ id: 1 }]
";

#[test]
fn an_interrupted_run_removes_its_databases() {
    let _alone = alone();
    let stage = Stage::with("", SLOW);
    let child = stage.command(&["compile"]).stderr(std::process::Stdio::piped()).spawn().expect("pgplumb runs");
    soon("it builds", || databases(&stage).starts_with("pgplumb_scratch_"));
    // SAFETY: the process is our child, and still runs.
    unsafe { libc::kill(i32::try_from(child.id()).expect("a process id"), libc::SIGTERM) };
    let ran = Ran::of(child.wait_with_output().expect("it ends"));
    ran.refused(&["interrupted"]);
    assert_eq!(databases(&stage), "");
}

#[test]
fn a_run_that_is_interrupted_while_it_makes_a_database_leaves_none() {
    let _alone = alone();
    let stage = Stage::with("", SIMPLE);
    let mut holder = stage.session();
    // A lock that whoever copies it waits for.
    holder.feed("begin; comment on database template0 is 'held';");
    let waiting = |which: &str| {
        let sql = format!("select count(*) from pg_stat_activity where query like 'CREATE DATABASE%scratch%' {which}");
        stage.sql_in_postgres(&sql)
    };
    soon("it is held", || {
        let held = "select count(*) from pg_locks where locktype = 'object' and mode = 'ShareUpdateExclusiveLock'";
        stage.sql_in_postgres(held) == "1"
    });
    let child = stage.command(&["compile"]).stderr(std::process::Stdio::piped()).spawn().expect("pgplumb runs");
    soon("the server waits", || waiting("and wait_event_type = 'Lock'") == "1");
    // SAFETY: the process is our child, and still runs.
    unsafe { libc::kill(i32::try_from(child.id()).expect("a process id"), libc::SIGINT) };
    Ran::of(child.wait_with_output().expect("it ends")).refused(&["interrupted"]);
    assert_eq!(waiting(""), "0");
    holder.feed("rollback;");
    holder.end();
    assert_eq!(databases(&stage), "");
}

#[test]
fn two_runs_at_once_do_not_meet() {
    let _alone = alone();
    let stages: Vec<Stage> = (0..4).map(|_| Stage::with("", SIMPLE)).collect();
    let children: Vec<_> = stages
        .iter()
        .enumerate()
        .map(|(at, stage)| {
            let scratch = if at % 2 == 0 { stage.scratch() } else { "local".to_owned() };
            let mut command = stage.command(&["compile", "--scratch", &scratch]);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            command.spawn().expect("pgplumb runs")
        })
        .collect();
    for child in children {
        Ran::of(child.wait_with_output().expect("it ends")).ok();
    }
    assert_eq!(stages.first().map(databases).unwrap_or_default(), "");
}
