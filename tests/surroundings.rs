//! What stands around a database changes no result: settings of roles and of the database, default
//! privileges, others who create and drop things meanwhile, and privileges that the reader lacks.
//!
//! Needs PostgreSQL binaries: `PGPLUMB_PG_ROOT`, or whatever the search finds.

mod support;

use std::sync::Mutex;
use support::stage::{role, server, soon, Ran, Stage};

/// Settings of a role belong to the cluster, and default privileges to it: one test at a time.
static SETTINGS: Mutex<()> = Mutex::new(());

/// A bit of everything whose print or storage some setting changes.
const BASE: &str = r#"
    create type mood as enum ('sad', 'happy');
    create table "Odd Table" (
      id int primary key, "select" text default E'a\\b',
      at timestamptz not null default '2020-01-01 12:00+00', span interval default '1 day 02:00:00',
      day date default '2020-02-03', raw bytea default '\x00ff', ratio float8 default 0.1::float8, sum numeric default 1.10,
      feeling mood default 'sad', doc xml, name name, price money,
      check (at > '1999-12-31 23:59:59+00'), check (span < '2 mons 3 days'), check ("select" is distinct from null),
      check (day > date '2001-02-03'), check (raw <> '\xdeadbeef'));
    create table ref (id int primary key, at timestamptz, span interval, raw bytea, ratio float8, day date, note text);
    insert into ref values (1, '2020-01-01 12:00+00', '1 day 02:00', '\x00ff', 0.1, '2020-02-03', 'a\b'),
      (2, '2021-06-01 00:00+00', '-3 mons', '\x', 1e-7, '1999-12-31', null);
    insert into "Odd Table" (id) select generate_series(1, 5);
    create index odd on "Odd Table" (("select" || 'x')) where at > '2020-01-01 00:00+00' and feeling = 'happy';
    create view v as select id, "select", at + '1 day'::interval as later, '2020-01-01 00:00+00'::timestamptz as then,
      0.1::float8 as ratio from "Odd Table" where "select" = null or id = 1;
    set check_function_bodies = off;
    create function f(a timestamptz default '2020-01-01 00:00+00') returns int language sql as 'select nosuch from nowhere';
    create policy p on "Odd Table" using ("select" = current_user and at < '2030-01-01 00:00+00');
    alter table "Odd Table" enable row level security;
    analyze;"#;

const YAML: &str = r#"
enums:
  mood: [sad, happy, ecstatic]
tables:
  '"Odd Table"':
    columns:
      id: int primary key
      select: text default E'a\\b'
      at: timestamptz not null default '2020-01-01 12:00+00'
      span: interval default '1 day 02:00:00'
      day: date default '2020-02-03'
      raw: bytea default '\x00ff'
      ratio: float8 default 0.1::float8
      sum: numeric default 1.10
      feeling: mood default 'sad'
      doc: xml
      name: name
      price: money
      born: timestamptz default '2000-01-01 00:00+00'
      eq: { type: boolean, generated: "id = null" }
    checks:
      Odd Table_at_check: at > '1999-12-31 23:59:59+00'
      Odd Table_span_check: span < '2 mons 3 days'
      Odd Table_select_check: '"select" is distinct from null'
      Odd Table_day_check: day > date '2001-02-03'
      Odd Table_raw_check: raw <> '\xdeadbeef'
      fresh: born > '1900-01-01 00:00+00' and raw <> '\x01'
    indexes:
      odd: { keys: ("select" || 'x'), where: "at > '2020-01-01 00:00+00' and feeling = 'happy'" }
    policies:
      p: { using: "\"select\" = current_user and at < '2031-01-01 00:00+00'" }
    rls: enabled
  ref:
    columns:
      id: int primary key
      at: timestamptz
      span: interval
      raw: bytea
      ratio: float8
      day: date
      note: text
    checks:
      sane: ratio < 100
    rows:
      - { id: 1, at: 2020-01-01 12:00+00, span: "1 day 02:00", raw: '\x00ff', ratio: 0.1, day: 2020-02-03, note: 'a\b' }
      - { id: 2, at: 2021-06-01 00:00+00, span: -3 mons, raw: '\x', ratio: 1e-7, day: 1999-12-31, note: ~ }
      - { id: 3, at: 2021-06-01 00:00+00, span: -4 mons, raw: '\x01', ratio: 1e-8, day: 1999-12-30, note: 'x\y' }
views:
  v:
    query: |
      select id, "select", at + '1 day'::interval as later, '2020-01-01 00:00+00'::timestamptz as then,
      0.1::float8 as ratio from "Odd Table" where "select" = null or id = 1
functions:
  f(a timestamptz default '2020-01-01 00:00+00'):
    returns: int
    language: sql
    body: select 1
"#;

/// Settings that change how things print, how text is read, or what a session may do.
const HOSTILE: &[(&str, &str)] = &[
    ("TimeZone", "'Asia/Kathmandu'"),
    ("DateStyle", "'German, DMY'"),
    ("IntervalStyle", "'iso_8601'"),
    ("quote_all_identifiers", "on"),
    ("search_path", "'pg_temp, public, pg_catalog'"),
    ("transform_null_equals", "on"),
    ("standard_conforming_strings", "off"),
    ("escape_string_warning", "on"),
    ("backslash_quote", "on"),
    ("array_nulls", "off"),
    ("bytea_output", "'escape'"),
    ("extra_float_digits", "-5"),
    ("xmloption", "'document'"),
    ("xmlbinary", "'hex'"),
    ("lc_monetary", "'C'"),
    ("statement_timeout", "'20ms'"),
    ("idle_session_timeout", "'300ms'"),
    ("idle_in_transaction_session_timeout", "'1ms'"),
    ("lock_timeout", "'1ms'"),
    ("default_transaction_read_only", "on"),
    ("default_transaction_isolation", "'serializable'"),
    ("default_transaction_deferrable", "on"),
    ("row_security", "on"),
    ("check_function_bodies", "on"),
    ("client_min_messages", "'debug1'"),
    ("client_encoding", "'LATIN1'"),
    ("default_text_search_config", "'pg_catalog.german'"),
    ("default_toast_compression", "'pglz'"),
    ("exit_on_error", "on"),
    ("enable_seqscan", "off"),
    ("jit", "on"),
    ("jit_above_cost", "0"),
    ("role", "'bystander'"),
    ("session_replication_role", "'replica'"),
    ("default_tablespace", "'elsewhere'"),
    ("temp_tablespaces", "'elsewhere'"),
    ("synchronous_commit", "off"),
    ("lo_compat_privileges", "on"),
    ("log_statement", "'all'"),
];

/// What all commands say about a database and what they leave, as a role.
struct Results {
    inspect: String,
    drift: String,
    plan: String,
    dump: String,
    rows: String,
}

impl Results {
    fn of(role: &str, prepare: impl Fn(&Stage)) -> Self {
        let stage = Stage::with(BASE, YAML);
        prepare(&stage);
        let inspect = stage.on_as(role, &["inspect"]).ok().out.clone();
        let drift = stage.on_as(role, &["drift", "--format", "json"]);
        assert_eq!(drift.status, Some(2), "{drift}");
        let path = stage.path("plan.yaml");
        let name = path.display().to_string();
        stage.on_as(role, &["plan", "--out", &name, "--allow", "access_widened:policy public.\"Odd Table\".p"]).ok();
        let plan = std::fs::read_to_string(&path).expect("the plan");
        stage.on_as(role, &["apply", &name, "--yes", "--lock-timeout", "5s"]).ok();
        stage.on_as(role, &["plan", "--exit-code"]).ok();
        stage.on_as(role, &["drift"]).ok();
        stage.on_as(role, &["history"]).ok();
        let rows = "select * from public.ref order by id; select * from public.\"Odd Table\" order by id; select nspname, relname, reltablespace
            from pg_class c join pg_namespace n on n.oid = relnamespace where nspname in ('public', 'pgplumb') order by 1, 2";
        // What follows is the tests' own look.
        stage.sql_in_postgres(&format!("alter database {} reset all", stage.database));
        let dump = stage.dump();
        let rows = stage.sql(&format!("set timezone = utc; set datestyle = iso; set intervalstyle = postgres; set bytea_output = hex; set extra_float_digits = 1; {rows}"));
        let cut = |text: &str| {
            let same = |line: &&str| {
                !["  role: ", "  database", "  system", "generated", "at: ", "  host"]
                    .iter()
                    .any(|s| line.starts_with(s))
            };
            text.lines().filter(same).collect::<Vec<_>>().join("\n").replace(&stage.database, "DATABASE")
        };
        Self { inspect: cut(&inspect), drift: cut(&drift.out), plan: cut(&plan), dump, rows }
    }

    #[track_caller]
    fn same(&self, other: &Self, what: &str) {
        let Self { inspect, drift, plan, dump, rows } = self;
        for (name, a, b) in [
            ("inspect", inspect, &other.inspect),
            ("drift", drift, &other.drift),
            ("plan", plan, &other.plan),
            ("the database afterwards", dump, &other.dump),
            ("rows", rows, &other.rows),
        ] {
            let diff = similar::TextDiff::from_lines(a, b);
            assert!(a == b, "{what}: {name}\n{}", diff.unified_diff().context_radius(1));
        }
    }
}

/// Makes a superuser to whom nothing was done, and one for whom everything is set.
fn roles() {
    role("plain", "superuser login");
    role("hostile", "superuser login");
    role("bystander", "");
}

/// A tablespace needs a directory that the server's account owns: the server makes it itself.
fn tablespace(stage: &Stage) {
    let directory = server().directory().join("elsewhere").display().to_string();
    if stage.sql("select 1 from pg_tablespace where spcname = 'elsewhere'").is_empty() {
        stage.sql(&format!("copy (select 1) to program 'mkdir -p \"{directory}\"'"));
        stage.sql(&format!("create tablespace elsewhere location '{directory}'"));
    }
}

fn known(stage: &Stage, setting: &str) -> bool {
    stage.sql(&format!("select count(*) from pg_settings where lower(name) = lower('{setting}')")) == "1"
}

#[test]
fn settings_of_a_role_change_nothing() {
    let _one = SETTINGS.lock();
    roles();
    let clean = Results::of("plain", |_| {});
    let hostile = Results::of("hostile", |stage| {
        tablespace(stage);
        for (name, value) in HOSTILE.iter().filter(|(name, _)| known(stage, name)) {
            stage.sql(&format!("alter role hostile set {name} = {value}"));
        }
    });
    Stage::new().sql("alter role hostile reset all");
    hostile.same(&clean, "a role with hostile settings");
}

#[test]
fn settings_of_a_database_change_nothing() {
    let _one = SETTINGS.lock();
    roles();
    let clean = Results::of("plain", |_| {});
    let hostile = Results::of("plain", |stage| {
        tablespace(stage);
        // A database's settings hold for the tests' own sessions too: some would stop these.
        let ours = [
            "role",
            "statement_timeout",
            "idle_session_timeout",
            "lock_timeout",
            "client_min_messages",
            "default_transaction_read_only",
        ];
        for (name, value) in HOSTILE.iter().filter(|(name, _)| known(stage, name) && !ours.contains(name)) {
            let sql = format!("alter database {} set {name} = {value}", stage.database);
            stage.sql_in_postgres(&sql);
        }
    });
    hostile.same(&clean, "a database with hostile settings");
}

#[test]
fn each_setting_by_itself_stops_nothing() {
    let _one = SETTINGS.lock();
    roles();
    let stage = Stage::with(BASE, YAML);
    tablespace(&stage);
    stage.on(&["drift"]);
    let plain = stage.on_as("plain", &["drift", "--format", "json", "--locked"]);
    let mut different = Vec::new();
    for (name, value) in HOSTILE.iter().filter(|(name, _)| known(&stage, name)) {
        stage.sql(&format!("alter role hostile reset all; alter role hostile set {name} = {value}"));
        let ran = stage.on_as("hostile", &["drift", "--format", "json", "--locked"]);
        if (ran.status, &ran.out) != (plain.status, &plain.out) {
            different.push(format!("{name} = {value}: {ran}"));
        }
    }
    stage.sql("alter role hostile reset all");
    assert_eq!(plain.status, Some(2), "{plain}");
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn default_privileges_give_nothing_that_was_not_declared() {
    let _one = SETTINGS.lock();
    roles();
    role("nosy", "");
    let yaml = "
tables:
  t:
    columns:
      id: int primary key
    grants: {}
  u:
    columns:
      id: int
    grants: { bystander: [select] }
sequences:
  s: { grants: {} }
functions:
  f():
    returns: int
    language: sql
    body: select 1
    grants: {}
views:
  v:
    query: select id from t
    grants: { bystander: [select] }
enums:
  e: { values: [a], grants: {} }
domains:
  d: { type: text, grants: { public: [usage] } }
materialized_views:
  m:
    query: select 1 as one
    grants: {}
";
    let effective = "select c.relname, a.grantee::regrole, string_agg(a.privilege_type, ',' order by a.privilege_type)
        from pg_class c, aclexplode(coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::\"char\", relowner))) a
        where c.relnamespace = 'public'::regnamespace and relkind <> 'i' group by 1, 2
        union all select proname, a.grantee::regrole, a.privilege_type from pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
        where pronamespace = 'public'::regnamespace
        union all select typname, a.grantee::regrole, a.privilege_type from pg_type, aclexplode(coalesce(typacl, acldefault('T', typowner))) a
        where typnamespace = 'public'::regnamespace and typname in ('d', 'e') order by 1, 2";
    let results = |prepare: &str| {
        let stage = Stage::with(prepare, yaml);
        let plan = stage.planned(&[]);
        stage.apply(&plan).ok();
        stage.agrees();
        stage.on(&["drift"]).ok();
        stage.sql(effective)
    };
    let clean = results("");
    let generous = "
        alter default privileges grant all on tables to nosy, public;
        alter default privileges in schema public grant select on tables to nosy with grant option;
        alter default privileges grant all on sequences to nosy, public;
        alter default privileges grant all on functions to nosy;
        alter default privileges revoke all on functions from public;
        alter default privileges revoke select on tables from postgres;
        alter default privileges grant all on types to nosy;
        alter default privileges in schema public grant usage on types to bystander;
        alter default privileges revoke all on types from public;";
    assert_eq!(results(generous), clean);
}

// Others at work.

/// Where no grants are declared they are not managed; who plans is told what the database gives by itself.
#[test]
fn default_privileges_on_what_declares_no_grants_are_said() {
    let _one = SETTINGS.lock();
    role("nosy", "");
    let stage = Stage::with(
        "create table old (id int); alter default privileges in schema public grant select on tables to nosy;",
        "tables: { silent: { columns: { id: int } }, said: { columns: { id: int }, grants: {} },
                   renamed: { was: old, columns: { id: int } } }\n",
    );
    let (_, ran) = stage.plan(&[]);
    let words = "table public.silent: its grants are not declared, and default privileges of this database give select to role nosy";
    assert!(ran.ok().out.contains(words), "{ran}");
    assert!(!ran.out.contains("public.said: its grants") && !ran.out.contains("public.renamed: its grants"), "{ran}");
}

#[test]
fn others_who_create_and_drop_meanwhile_disturb_nothing() {
    let stage = Stage::with(BASE, YAML);
    stage.sql("create schema busy");
    stage.file("schema/all.yaml", &format!("pgplumb: 1\nschemas: [public, busy]\nignore: ['busy.*']\n{YAML}"));
    let first = stage.on(&["drift", "--format", "json"]);
    assert_eq!(first.status, Some(2), "{first}");
    let path = stage.path("plan.yaml").display().to_string();
    stage.on(&["plan", "--out", &path, "--locked"]).ok();
    let plan = std::fs::read_to_string(&path).expect("the plan");

    let churn = |n: usize| {
        format!(
            "do $$ begin for i in 1..100000 loop
               begin
                 create table busy.t{n} (id int primary key, a text default 'x' || {n}, b int generated always as identity, check (a <> 'y'));
                 create index on busy.t{n} ((a || 'z')) where id > 3;
                 create view busy.v{n} as select id, a from busy.t{n} where id > 1;
                 create function busy.f{n}(a int default 3) returns int language sql begin atomic select a; end;
                 create policy p on busy.t{n} using (a = 'x');
                 create type busy.e{n} as enum ('a', 'b');
                 create domain busy.d{n} as text check (value <> 'q') default 'r';
                 create trigger g before update on busy.t{n} for each row when (old.a <> new.a) execute function suppress_redundant_updates_trigger();
                 grant select on busy.t{n} to bystander;
                 comment on table busy.t{n} is 'x';
                 commit;
                 drop view busy.v{n}; drop table busy.t{n}; drop function busy.f{n}(int); drop type busy.e{n}; drop domain busy.d{n};
                 commit;
               end;
             end loop; end $$;"
        )
    };
    role("bystander", "");
    let others: Vec<_> = (0..3)
        .map(|n| {
            let mut other = stage.session();
            other.feed(&churn(n));
            other
        })
        .collect();
    soon("the others are at work", || {
        stage.sql("select count(*) from pg_stat_activity where query like 'do %'") != "0"
    });
    let mut failed = Vec::new();
    for n in 0..30 {
        let ran = if n % 2 == 0 {
            let ran = stage.on(&["drift", "--format", "json", "--locked"]);
            (ran.status == Some(2) && ran.out == first.out, ran)
        } else {
            let ran = stage.on(&["plan", "--out", &path, "--locked"]);
            (ran.status == Some(0) && std::fs::read_to_string(&path).expect("the plan") == plan, ran)
        };
        if !ran.0 {
            failed.push(format!("run {n}: {}", ran.1));
        }
    }
    assert!(!stage.sql("select count(*) from pg_stat_activity where query like 'do %'").is_empty());
    let at_work =
        stage.sql("select count(*) from pg_stat_activity where datname = current_database() and query like 'do %'");
    // Applying reads under locks, and must bear the same.
    let allow = ["plan", "--out", path.as_str(), "--locked", "--allow", "access_widened:policy public.\"Odd Table\".p"];
    stage.on(&allow).ok();
    let applied = stage.on(&["apply", &path, "--yes"]);
    stage.sql("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query like 'do %'");
    drop(others);
    assert_eq!(at_work, "3");
    assert!(failed.is_empty(), "{} of 30\n{}", failed.len(), failed.join("\n"));
    applied.ok();
}

// Little privileges.

#[test]
fn who_can_only_connect_sees_the_same_differences() {
    role("visitor", "login");
    let stage = Stage::with(BASE, YAML);
    stage.sql(
        "revoke all on schema public from public; revoke all on all tables in schema public from public;
        revoke select on pg_attribute from visitor",
    );
    let all = stage.on(&["drift", "--format", "json"]);
    assert_eq!(all.status, Some(2), "{all}");
    let told: serde_json::Value = serde_json::from_str(&all.out).expect("JSON");
    let ran = stage.on_as("visitor", &["drift", "--format", "json", "--locked"]);
    // Whether the rows agree is not known.
    assert!(matches!(ran.status, Some(1 | 2)), "{ran}");
    let seen: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    let differences = |told: &serde_json::Value| -> Vec<serde_json::Value> {
        let list = told["differences"].as_array().unwrap_or_else(|| panic!("{told}")).clone();
        list.into_iter().filter(|d| !d["address"].to_string().contains("row ")).collect()
    };
    assert!(!differences(&told).is_empty());
    assert_eq!(differences(&seen), differences(&told));
    let missing = |told: &serde_json::Value| told["differences"].to_string().contains("ref.3");
    assert!(missing(&told) && !missing(&seen), "{ran}");
    assert!(ran.out.contains("permission denied"), "{ran}");

    let path = stage.path("plan.yaml").display().to_string();
    let ran = stage.on_as("visitor", &["plan", "--out", &path, "--locked"]);
    let told = std::fs::read_to_string(&path).expect("the plan");
    assert!(ran.ok().err.is_empty() || !ran.err.contains("panicked"), "{ran}");
    let plan: serde_yaml::Value = serde_yaml::from_str(&told).expect("YAML");
    let not_checked = serde_yaml::to_string(&plan["not_checked"]).expect("YAML");
    assert!(not_checked.contains("ref") && not_checked.contains("permission denied"), "{told}");
    assert!(not_checked.contains("sane"), "{told}");
    stage.on_as("visitor", &["inspect"]).ok();
    stage.on_as("visitor", &["audit"]);
}

/// Everything that reading could write: relations, settings, statistics aside.
fn written(stage: &Stage) -> String {
    stage.sql("select count(*), max(oid) from pg_class; select pg_current_wal_insert_lsn() is not null; select nspname from pg_namespace order by 1")
}

#[test]
fn reading_commands_write_nothing_and_need_no_server_of_their_own() {
    // No text is in doubt: of two that differ only a server could tell whether they mean the same.
    let stage = Stage::with(BASE, &YAML.replace("2031-01-01", "2030-01-01"));
    stage.on(&["compile"]).ok();
    stage.sql_in_postgres(&format!("alter database {} set default_transaction_read_only = on", stage.database));
    let before = written(&stage);
    let listing = || {
        let mut names: Vec<_> = walk(stage.directory.path())
            .into_iter()
            .map(|p| (p.metadata().and_then(|m| m.modified()).ok(), p))
            .collect();
        names.sort();
        names
    };
    let files = listing();
    // No PostgreSQL is to be found: with a fresh lock none is looked for.
    let run = |arguments: &[&str]| {
        let url = stage.url();
        let mut all = arguments.to_vec();
        all.extend(["--url", url.as_str()]);
        let mut command = stage.command(&all);
        command.env("PGPLUMB_PG_ROOT", "/nowhere").env("PATH", "/nowhere").env("TMPDIR", "/nowhere");
        Ran::of(command.output().expect("pgplumb runs"))
    };
    for arguments in [&["drift", "--scratch", "local"] as &[&str], &["plan", "--scratch", "local", "--exit-code"]] {
        let ran = run(arguments);
        assert_eq!(ran.status, Some(2), "{ran}");
    }
    run(&["history"]).ok();
    run(&["inspect"]).ok();
    assert!(matches!(run(&["audit"]).status, Some(0 | 2)));
    assert_eq!(written(&stage), before);
    assert_eq!(listing(), files);
}

fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(walk(&path));
        } else {
            all.push(path);
        }
    }
    all
}
