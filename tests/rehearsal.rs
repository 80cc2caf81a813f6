//! Rehearsals: plans that are wrong are stopped with a report, what is measured stands in the plan, and what cannot
//! be tried is said. That plans which are right pass, and that what the kinds announce is what is measured, all
//! golden cases show.
//!
//! Needs PostgreSQL binaries: `PGPLUMB_PG_ROOT`, or whatever the search finds.

mod support;

use pgplumb::kinds::{Hazard, Lock};
use pgplumb::plan::{Batch, Plan, Rehearsed, Step};
use std::path::PathBuf;
use support::database::{Compared, Database};
use support::server::{majors, Server};
use support::stage::Stage;

const BEFORE: &str = "
    create table p (id int primary key, name text not null);
    create table t (id int primary key, p int references p, n int, status text check (status in ('new', 'old')));
    create index t_n on t (n);
    create view v as select id, n from t;
    grant select on v to reader;
    insert into p select i, 'parent ' || i from generate_series(1, 5) i;
    insert into t select i, i, i, 'new' from generate_series(1, 5) i;
    analyze;";

const DECLARED: &str = "
pgplumb: 1
tables:
  p:
    columns: { id: int primary key, name: text not null }
    rows: [{ id: 1000, name: hush-hush }]
  t:
    columns:
      id: int primary key
      p: int references p
      n: bigint
      status: text check (status in ('new', 'old'))
      level: { type: text, not_null: true, backfill: \"'classified'\" }
    indexes: { t_n: n }
views:
  v: { query: \"select id, n from t\", grants: { reader: [select] } }
";

/// A plan that something was done to, and words of the report that stops it.
struct Spoilt {
    how: &'static str,
    spoil: fn(&mut Plan),
    says: &'static [&'static str],
}

const SPOILT: &[Spoilt] = &[
    Spoilt {
        how: "another type than is desired",
        spoil: |plan| replace(&mut plan.batches, "TYPE bigint", "TYPE numeric"),
        says: &["its result is not what is desired", "column public.t.n: it is {\"type\":\"numeric\"}", "\"bigint\""],
    },
    Spoilt {
        how: "a view that stands in the way",
        spoil: |plan| replace(&mut plan.batches, "DROP VIEW public.v", "SELECT"),
        says: &["a statement is refused", "alter column public.t.n", "(0A000)", "used by a view"],
    },
    Spoilt {
        how: "something that falls on the way",
        spoil: |plan| more(plan, "DROP INDEX public.t_n"),
        says: &["its result is not what is desired", "index public.t.t_n: it is not there"],
    },
    Spoilt {
        how: "something that nobody declared",
        spoil: |plan| more(plan, "CREATE TABLE public.more ()"),
        says: &["its result is not what is desired", "table public.more: it is there"],
    },
    Spoilt {
        how: "rows that go in silence",
        spoil: |plan| more(plan, "DELETE FROM public.t WHERE id = 1"),
        says: &["it loses rows", "table public.t: of 3 rows 2 are left"],
    },
    Spoilt {
        how: "a grant that does not come back",
        spoil: |plan| replace(&mut plan.batches, "GRANT SELECT ON TABLE public.v TO reader", "SELECT"),
        says: &["its result is not what is desired", "view public.v: its grants are"],
    },
    Spoilt {
        how: "another value than is desired",
        spoil: |plan| replace(&mut plan.batches, "hush-hush", "hushed"),
        says: &["its result is not what is desired", "a row of table public.p: its values are others"],
    },
    Spoilt {
        how: "a way back to another place",
        spoil: |plan| plan.batches.iter_mut().for_each(|b| replace(&mut b.undo, "TYPE integer", "TYPE smallint")),
        says: &["its way back does not lead back", "column public.t.n", "on the way back"],
    },
    Spoilt {
        how: "a way back that is barred",
        spoil: |plan| plan.batches.iter_mut().for_each(|b| replace(&mut b.undo, "DROP VIEW public.v", "SELECT")),
        says: &["on the way back a statement is refused", "alter column public.t.n", "(0A000)"],
    },
];

/// Replaces a text in every statement; it must be in one.
fn replace(batches: &mut [Batch], text: &str, by: &str) {
    let mut found = false;
    for sql in batches.iter_mut().flat_map(|b| &mut b.steps).flat_map(|s| &mut s.sql) {
        found |= sql.contains(text);
        *sql = sql.replace(text, by);
    }
    // Transactions without it are none of the spoiler's business, but for the only one.
    assert!(found || batches.len() != 1, "no statement has `{text}`");
}

/// One more statement at the end.
fn more(plan: &mut Plan, sql: &str) {
    let last = plan.batches.last_mut().and_then(|b| b.steps.last_mut()).expect("a step");
    last.sql.push(sql.to_owned());
}

fn on_every_major(test: impl AsyncFn(&Database<'_>, PathBuf)) {
    for major in majors() {
        let server = Server::start(major);
        let database = server.database();
        let directory = tempfile::tempdir().expect("a directory");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(test(&database, directory.path().join("schema.yaml")));
    }
}

fn step<'a>(plan: &'a mut Plan, address: &str) -> &'a mut Step {
    let mut steps = plan.batches.iter_mut().flat_map(|b| &mut b.steps);
    steps.find(|s| s.address == address && s.verb == "alter").unwrap_or_else(|| panic!("no step at {address}"))
}

#[test]
fn plans_that_are_wrong_are_reported_and_never_made() {
    on_every_major(async |database, declaration| {
        database.psql(BEFORE).expect("before");
        std::fs::write(&declaration, DECLARED).expect("a file");
        database.plan(&declaration).await.expect("the plan as it is");
        for Spoilt { how, spoil, says } in SPOILT {
            let report = match database.plan_spoilt(&declaration, spoil).await {
                Err(report) => report,
                Ok(_) => panic!("{how}: the plan passes"),
            };
            let always = ["failed its rehearsal, and is not written", "pgplumb 0", "PostgreSQL 1", "defect of pgplumb"];
            for word in always.iter().chain(*says) {
                assert!(report.contains(word), "{how}: `{word}` is not in:\n{report}");
            }
            for secret in ["hush", "classified", "1000"] {
                assert!(!report.contains(secret), "{how}: the report shows a value:\n{report}");
            }
        }
    });
}

#[test]
fn what_is_measured_stands_in_the_plan() {
    on_every_major(async |database, declaration| {
        database.psql(BEFORE).expect("before");
        std::fs::write(&declaration, DECLARED).expect("a file");
        let spoil = |plan: &mut Plan| {
            plan.batches.iter_mut().for_each(|b| b.locks.clear());
            let step = step(plan, "column public.t.n");
            step.hazards.clear();
            (step.lock, step.on, step.blocks) = (Lock::ShareUpdateExclusive, Vec::new(), String::new());
        };
        let Compared { mut plan, corrections, .. } = database.plan_spoilt(&declaration, &spoil).await.expect("a plan");
        let Step { lock, on, blocks, hazards, .. } = step(&mut plan, "column public.t.n").clone();
        assert_eq!((lock, blocks.as_str()), (Lock::AccessExclusive, "reads and writes"));
        assert_eq!(on, ["table public.t (about 1 rows)".replace("about 1 rows", "a few rows")]);
        let hazards: Vec<Hazard> = hazards.iter().map(|note| note.hazard).collect();
        assert_eq!(hazards, [Hazard::Rewrites, Hazard::BlocksReads]);
        let locked: Vec<&str> = plan.batches[0].locks.iter().map(|l| l.table.as_str()).collect();
        assert_eq!(locked, ["public.t"]);
        for words in [
            "alter column public.t.n takes ACCESS EXCLUSIVE on table public.t (a few rows), not SHARE UPDATE EXCLUSIVE",
            "alter column public.t.n writes a table anew",
            "the transaction should lock public.t in ACCESS EXCLUSIVE mode",
        ] {
            assert!(corrections.iter().any(|c| c == words), "`{words}` is not in {corrections:#?}");
        }
        // What was found is what is sealed.
        Plan::read(&plan.write().expect("a text"), "plan.yaml").expect("the seal holds");
    });
}

/// What others own is rebuilt in outline. What has none cannot be, and a plan that needs it says that it was not tried.
#[test]
fn what_cannot_be_tried_is_said() {
    let other = "create schema other; create function other.f() returns int language sql as 'select 1';
                 create table other.log (id int); create type other.span as range (subtype = int);
                 create operator class other.odd for type int using btree as operator 3 =, function 1 btint4cmp(int, int);";
    let cases = [
        (
            "a default that calls a function of somebody else",
            "alter table t add more int default other.f();",
            "more: int",
            Ok(6),
        ),
        (
            "a range type of somebody else",
            "alter table t add more other.span;",
            "",
            Ok(6),
        ),
        (
            "an operator class of somebody else",
            "create index t_odd on t (id other.odd);",
            "",
            Err("operator class other.odd for access method btree belongs to others, and is of a kind that nothing can stand in for here"),
        ),
        (
            "a trigger that writes elsewhere",
            "create function f() returns trigger language plpgsql as 'begin insert into other.log values (1); return new; end';
             create trigger t_f before update on t for each row execute function f();",
            "",
            Ok(6),
        ),
        ("nothing of the sort", "", "", Ok(6)),
    ];
    on_every_major(async |database, declaration| {
        for (what, sql, column, wanted) in cases {
            let clean = "drop schema if exists other cascade; drop schema public cascade; create schema public;";
            database.psql(&format!("{clean}{other}{BEFORE}{sql}")).expect("before");
            let mut yaml = DECLARED.replace("      n: bigint", &format!("      n: bigint\n      {column}"));
            if sql.contains("trigger") {
                yaml.push_str(
                    "functions:\n  f(): { returns: trigger, language: plpgsql, body: 'begin insert into other.log values (1); \
                     return new; end' }\n",
                );
                yaml = yaml.replace(
                    "    indexes: { t_n: n }",
                    "    indexes: { t_n: n }\n    triggers: { t_f: { timing: before, events: update, level: row, execute: f() } }",
                );
            }
            std::fs::write(&declaration, &yaml).expect("a file");
            let plan = database.plan(&declaration).await.unwrap_or_else(|why| panic!("{what}: {why}")).plan;
            match (wanted, &plan.rehearsed, plan.why_not_rehearsed()) {
                (Ok(rows), Some(Rehearsed::On(rehearsal)), None) => assert_eq!(rehearsal.rows, rows, "{what}"),
                (Err(words), Some(Rehearsed::Not(false)), Some(why)) => assert!(why.contains(words), "{what}: {why}"),
                (_, rehearsed, why) => panic!("{what}: {rehearsed:?} {why:?}"),
            }
        }
    });
}

/// On a server of our own a plan runs without a superuser's rights; what is there already may have needed them.
#[test]
fn what_only_a_superuser_may_define_is_on_the_stage() {
    let stage = Stage::with(
        "create function f() returns int language sql immutable set app.tenant to '' set log_statement to 'none' as 'select 1';
         create table t (id int primary key default f());",
        "
functions:
  f(): { returns: int, language: sql, immutable: true, body: select 1, set: { app.tenant: \"''\", log_statement: none } }
tables: { t: { columns: { id: int primary key default f(), a: int } } }
",
    );
    let (_, ran) = stage.plan(&["--scratch", "local", "--rehearse"]);
    assert!(ran.ok().out.contains("Rehearsed on PostgreSQL"), "{ran}");
}

/// What others must not run as a superuser is created before there is anything of theirs.
#[test]
fn extensions_that_only_a_superuser_may_create_are_there_beforehand() {
    let stage = Stage::with(
        "create schema app; create function app.f() returns int language sql as 'select 1';",
        "
schemas: [app, geo]
extensions: { vector: { schema: geo } }
functions: { app.f(): { returns: int, language: sql, body: select 1 } }
tables: { app.t: { columns: { id: int primary key, at: geo.vector(3) }, indexes: { t_at: { using: ivfflat, keys: at geo.vector_l2_ops, with: { lists: 1 } } } } }
",
    );
    let (plan, ran) = stage.plan(&["--scratch", "local", "--rehearse"]);
    let note = "a superuser created extension vector beforehand";
    assert!(ran.ok().out.contains("Rehearsed on PostgreSQL") && ran.out.contains(note), "{ran}");
    let text = std::fs::read_to_string(&plan).expect("a plan");
    for sql in ["CREATE SCHEMA geo", "CREATE EXTENSION IF NOT EXISTS vector", "DROP EXTENSION vector"] {
        assert!(text.contains(sql), "{sql}: {text}");
    }
}

#[test]
fn whoever_leaves_it_out_is_told() {
    let stage = Stage::with(
        "create table t (id int primary key);",
        "tables: { t: { columns: { id: int primary key, a: int } } }",
    );
    let nowhere = stage.path("nowhere");
    std::fs::create_dir(&nowhere).expect("a directory");
    let nowhere = nowhere.display().to_string();

    let (plan, ran) = stage.plan(&["--verbose"]);
    assert!(ran.ok().err.contains("rehearsed in 0.") || ran.err.contains("rehearsed in "), "{ran}");
    assert!(ran.out.contains("Rehearsed on PostgreSQL"), "{ran}");
    let text = std::fs::read_to_string(&plan).expect("a plan");
    assert!(text.contains("\nrehearsed:\n  server: PostgreSQL "), "{text}");

    // The lock is fresh by now, so that scratch is for the rehearsal alone.
    let (_, ran) = stage.plan(&["--scratch", &nowhere, "--rehearse"]);
    ran.refused(&["the plan cannot be rehearsed", "--rehearse"]);
    let (_, ran) = stage.plan(&["--scratch", &nowhere]);
    assert!(ran.ok().out.contains("Not rehearsed: "), "{ran}");

    let (plan, ran) = stage.plan(&["--no-rehearsal"]);
    assert!(ran.ok().out.contains("Not rehearsed: --no-rehearsal was said."), "{ran}");
    let text = std::fs::read_to_string(&plan).expect("a plan");
    assert!(text.contains("\nrehearsed: false\nnot_rehearsed: --no-rehearsal was said\n"), "{text}");
    let ran = stage.apply(&plan);
    assert!(ran.ok().err.contains("warning: the plan was not rehearsed: --no-rehearsal was said"), "{ran}");
    stage.agrees();
}
