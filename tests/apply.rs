//! Applying plans on real servers: what is refused before anything is touched, what happens when something
//! goes wrong in the middle, and that a rerun goes on from there.
//!
//! Needs PostgreSQL binaries: `PGPLUMB_PG_ROOT`, or whatever the search finds.

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use support::stage::{role, soon, Background, Ran, Stage};

const BASE: &str = "
    create table t (id int primary key, a text, n int);
    insert into t select i, 'row ' || i, i from generate_series(1, 10) i;
    analyze t;";

const BASE_YAML: &str = "
tables:
  t:
    columns:
      id: int primary key
      a: text
      n: int
";

/// The declaration of `t` with more under its columns.
fn t_with(columns: &str) -> String {
    format!("{BASE_YAML}{columns}")
}

/// What the database holds, for before and after.
fn shape(stage: &Stage) -> String {
    stage.sql(
        "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull from pg_attribute a
         join pg_class c on c.oid = a.attrelid where c.relnamespace = 'public'::regnamespace and a.attnum > 0
         and not a.attisdropped order by 1, 2",
    )
}

fn history(stage: &Stage) -> String {
    stage.on(&["history"]).ok().out.clone()
}

/// No session but the one that asks.
fn nobody_is_left(stage: &Stage) {
    soon("no session of pgplumb is left", || {
        stage
            .sql("select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
            == "0"
    });
}

fn apply_in_background(stage: &Stage, plan: &Path) -> Background {
    let mut command = stage.command(&["apply", &plan.display().to_string(), "--yes", "--url", &stage.url()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Background(command.spawn().expect("pgplumb starts"))
}

fn ended(mut background: Background) -> Ran {
    use std::io::Read;
    let (mut out, mut err) = (String::new(), String::new());
    background.0.stdout.take().expect("a pipe").read_to_string(&mut out).expect("UTF-8");
    background.0.stderr.take().expect("a pipe").read_to_string(&mut err).expect("UTF-8");
    let status = background.0.wait().expect("it ends").code();
    Ran { status, out, err }
}

fn signal(background: &Background, name: &str) {
    let id = background.0.id().to_string();
    assert!(Command::new("kill").args([name, &id]).status().expect("kill runs").success());
}

/// Whether a statement like this one is running.
fn runs(stage: &Stage, statement: &str) -> bool {
    let sql = format!(
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
         and state = 'active' and query like '%{statement}%'"
    );
    stage.sql(&sql) != "0"
}

// Gates.

#[test]
fn a_plan_that_was_edited_is_refused() {
    let stage = Stage::with(BASE, &t_with("      more: int\n"));
    let plan = stage.planned(&[]);
    let text = std::fs::read_to_string(&plan).expect("the plan");
    let before = shape(&stage);
    let edits = [
        ("ADD COLUMN more integer", "ADD COLUMN more bigint"),
        ("ADD COLUMN more integer", "ADD COLUMN more integer; DROP TABLE t"),
        ("schemas:\n  - public", "schemas:\n  - other"),
        ("do: create", "do: drop"),
        ("batches:", "allowed:\n- hazard: data_loss\n  address: table public.t\nbatches:"),
    ];
    for (from, to) in edits {
        assert!(text.contains(from), "{from} is not in {text}");
        std::fs::write(&plan, text.replacen(from, to, 1)).expect("the plan");
        stage.apply(&plan).refused(&["was changed after it was sealed", "make the plan anew"]);
    }
    for broken in [
        "",
        "a: b",
        "- 1",
        "\u{0}",
        "pgplumb_plan: 1\n",
        &text[..text.len() / 2],
        &text.replacen("pgplumb_plan: 1", "pgplumb_plan: 2", 1),
    ] {
        std::fs::write(&plan, broken).expect("the plan");
        stage.apply(&plan).refused(&["plan"]);
    }
    assert_eq!(shape(&stage), before);
    assert_eq!(stage.sql("select to_regnamespace('pgplumb') is null"), "t");
    // The identity is no part of the seal, and is checked against the database instead.
    std::fs::write(&plan, &text).expect("the plan");
    stage.apply(&plan).ok();
    stage.agrees();
}

#[test]
fn a_plan_for_another_database_is_refused() {
    let here = Stage::with(BASE, &t_with("      more: int\n"));
    let there = Stage::with(BASE, "");
    let plan = here.planned(&[]);
    there.apply(&plan).refused(&["the plan was made for database", &there.database, "make a plan for this database"]);
    assert_eq!(there.sql("select count(*) from pg_attribute where attname = 'more'"), "0");

    // The same name again is still another database.
    here.sql_in_postgres(&format!("drop database {0}; create database {0} template template0", here.database));
    here.sql(BASE);
    here.apply(&plan).refused(&["another database of that name"]);
    assert_eq!(here.sql("select to_regnamespace('pgplumb') is null"), "t");
}

#[test]
fn a_plan_is_refused_once_the_database_has_moved_on() {
    let yaml = "
enums:
  mood: [sad, happy]
tables:
  t:
    columns:
      id: int primary key
      a: varchar(20) not null default 'x'
      n: bigint
      m: mood
    checks:
      positive: n > 0
    indexes:
      t_a: a
    policies:
      p: { using: n > 0 }
    rls: enabled
  fresh:
    columns:
      id: int primary key
views:
  v:
    query: select id, a, n from t
functions:
  f(x int):
    returns: int
    language: sql
    body: select x + 1
";
    let base = "
        create type mood as enum ('sad', 'happy');
        create table t (id int primary key, a varchar(20) not null default 'x', n int, m mood);
        alter table t add constraint positive check (n > 0);
        create index t_a on t (a);
        create policy p on t using (n > 0);
        alter table t enable row level security;
        create view v as select id, a, n from t;
        create function f(x int) returns int language sql as 'select x';
        create table untouched (id int);";
    let ignored = format!("ignore: [public.untouched]\n{yaml}");
    // What the plan does: n becomes bigint (v, p and the check hang on it), f and `fresh` change.
    let changes = [
        (
            "drop policy p on t; drop view v; alter table t alter column n type smallint",
            "column public.t.n has changed",
        ),
        ("alter table t alter column n set default 1", "column public.t.n has changed"),
        ("alter table t alter column n set not null", "column public.t.n has changed"),
        ("comment on column t.n is 'x'", "column public.t.n has changed"),
        ("alter table t drop constraint positive", "positive is gone"),
        (
            "alter table t drop constraint positive; alter table t add constraint positive check (n > 1)",
            "positive has changed",
        ),
        ("alter policy p on t using (n > 5)", "policy public.t.p has changed"),
        ("drop policy p on t", "policy public.t.p is gone"),
        ("create or replace view v as select id, a, n, 1 as one from t", "view public.v has changed"),
        ("drop view v", "view public.v is gone"),
        ("alter view v set (security_barrier = true)", "view public.v has changed"),
        ("grant select on v to public", "view public.v has changed"),
        ("create or replace function f(x int) returns int language sql as 'select 7'", "has changed"),
        ("drop function f(int)", "is gone"),
        ("create table fresh (a int)", "fresh is there now"),
        ("create view w as select n from t", "view public.w is there now"),
        ("create policy q on t using (n > 3)", "is there now"),
        ("create index t_n on t (n)", "is there now"),
        ("alter table t owner to keeper", "table public.t has changed"),
        ("grant select on t to keeper", "table public.t has changed"),
        ("drop table t cascade", "is gone"),
        ("alter default privileges grant select on tables to keeper", "default privileges have changed"),
        (
            "alter default privileges in schema public grant execute on functions to keeper",
            "default privileges have changed",
        ),
    ];
    role("keeper", "");
    let stage = Stage::with(base, &ignored);
    let plan = stage.planned(&[]);
    let mut missed = Vec::new();
    for (change, words) in changes {
        // Each change is alone: what came before is taken back by building everything anew.
        stage.sql(change);
        let ran = stage.apply(&plan);
        if ran.status != Some(1) || !ran.err.contains("has changed since the plan was made") || !ran.err.contains(words)
        {
            missed.push(format!("{change}: {words}\n{ran}"));
        }
        stage.sql("drop schema if exists pgplumb cascade; drop table if exists t, fresh, untouched cascade; drop function if exists f(int); drop type mood; \
             alter default privileges revoke select on tables from keeper; alter default privileges in schema public revoke execute on functions from keeper;");
        stage.sql(base);
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    // What the plan has nothing to do with may change.
    stage.sql("alter table untouched add column b int; create index t_b on untouched (b)");
    stage.apply(&plan).ok();
    stage.agrees();
}

#[test]
fn hazards_need_leave_and_some_may_never_happen() {
    let yaml = "tables:\n  t:\n    columns:\n      id: int primary key\n      n: int\n";
    let stage = Stage::with(BASE, yaml);
    let plan = stage.planned(&[]);
    stage.apply(&plan).refused(&["1 hazard is not allowed", "--allow 'data_loss:column public.t.a'"]);
    assert_eq!(stage.sql("select to_regnamespace('pgplumb') is null"), "t");

    let (_, ran) = stage.plan(&["--allow", "data_loss:column public.t.n"]);
    ran.refused(&["has no hazard data_loss at `column public.t.n`", "it has it at: column public.t.a"]);
    let (_, ran) = stage.plan(&["--allow", "dataloss:column public.t.a"]);
    ran.refused(&["there is no hazard `dataloss`", "data_loss"]);
    let (_, ran) = stage.plan(&["--allow", "anything"]);
    ran.refused(&["is not HAZARD:ADDRESS"]);

    let plan = stage.planned(&["--allow", "data_loss:column public.t.a"]);
    let settings =
        format!("scratch: '{}'\ntargets:\n  prod: {{ url: '${{STAGE_URL}}', never: [data_loss] }}\n", stage.scratch());
    stage.file("pgplumb.yaml", &settings);
    let never = |arguments: &[&str]| {
        let mut command = stage.command(arguments);
        let ran = Ran::of(command.env("STAGE_URL", stage.url()).output().expect("pgplumb runs"));
        ran.refused(&["may never happen on this target", "`never` in pgplumb.yaml"]);
    };
    never(&["apply", &plan.display().to_string(), "--yes", "--target", "prod"]);
    let declaration = stage.path("schema").display().to_string();
    never(&["plan", &declaration, "--target", "prod", "--allow", "data_loss:column public.t.a"]);
    assert_eq!(stage.sql("select count(a) from t"), "10");

    stage.apply(&plan).ok();
    stage.agrees();
}

#[test]
fn nobody_is_asked_where_nobody_is_there() {
    let stage = Stage::with(BASE, &t_with("      more: int\n"));
    let plan = stage.planned(&[]);
    let mut command = stage.command(&["apply", &plan.display().to_string(), "--url", &stage.url()]);
    Ran::of(command.stdin(Stdio::null()).output().expect("pgplumb runs"))
        .refused(&["nobody is there to confirm", "--yes"]);
    assert!(!shape(&stage).contains("more"));
}

#[test]
fn applying_twice_does_nothing() {
    let stage = Stage::with(BASE, &t_with("      more: int\n"));
    let plan = stage.planned(&[]);
    stage.apply(&plan).ok();
    let ran = stage.apply(&plan);
    assert!(ran.ok().out.contains("nothing to do"), "{ran}");
    stage.sql("alter table t alter column more type text");
    stage.apply(&plan).refused(&["column public.t.more is not as the plan left it"]);
}

// Others on the database.

/// A column that takes so many seconds to come, but in scratch, whose databases have other names.
fn slow(seconds: u32) -> String {
    let seconds = format!("case when current_database() like 'stage%' then {seconds} else 0 end");
    t_with(&format!("      slow: {{ type: int, backfill: \"(select 1 from pg_sleep({seconds}))\" }}\n"))
}

#[test]
fn a_second_apply_waits_its_turn() {
    let stage = Stage::with(BASE, &slow(60));
    let plan = stage.planned(&[]);
    let first = apply_in_background(&stage, &plan);
    soon("the backfill runs", || runs(&stage, "pg_sleep"));
    stage.apply(&plan).refused(&["another pgplumb is applying"]);
    stage.on(&["rollback", &plan.display().to_string(), "--yes"]).refused(&["another pgplumb is applying"]);
    assert!(history(&stage).contains("running"));

    // Ctrl-C: the statement stops, nothing of the batch stays.
    signal(&first, "-INT");
    ended(first).refused(&["nothing was changed", "interrupted"]);
    assert!(!shape(&stage).contains("slow"));
    let told = history(&stage);
    assert!(told.contains("failed") && told.contains("interrupted"), "{told}");
    nobody_is_left(&stage);
}

#[test]
fn a_request_to_end_leaves_nothing() {
    let stage = Stage::with(BASE, &slow(60));
    let plan = stage.planned(&[]);
    let run = apply_in_background(&stage, &plan);
    soon("the backfill runs", || runs(&stage, "pg_sleep"));
    signal(&run, "-TERM");
    ended(run).refused(&["nothing was changed"]);
    assert!(!shape(&stage).contains("slow"));
    nobody_is_left(&stage);
}

#[test]
fn a_lock_that_others_hold_is_waited_for_in_turns() {
    let stage = Stage::with(BASE, &t_with("      more: int\n"));
    let plan = stage.planned(&[]);
    let mut other = stage.session();
    other.feed("begin; lock table t in access share mode;");
    soon("the lock is held", || {
        stage.sql("select count(*) from pg_locks where relation = 't'::regclass and granted") != "0"
    });
    let path = plan.display().to_string();
    let ran = stage.on(&["apply", &path, "--yes", "--lock-timeout", "200ms", "--attempts", "2"]);
    let holder = stage.sql("select pid from pg_locks where relation = 't'::regclass and granted");
    ran.refused(&["nothing was changed", "55P03", &format!("pid {holder} (")]);
    assert!(ran.err.contains("trying again"), "{ran}");
    // Between attempts nobody waits behind it, and readers were never in its way for longer than the timeout.
    assert_eq!(stage.sql("select count(*) from t"), "10");

    let url = stage.url();
    let mut command =
        stage.command(&["apply", &path, "--yes", "--lock-timeout", "200ms", "--attempts", "30", "--url", &url]);
    let run = Background(
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts"),
    );
    std::thread::sleep(std::time::Duration::from_secs(2));
    other.feed("commit;");
    let ran = ended(run);
    assert!(ran.ok().err.contains("trying again"), "{ran}");
    other.end();
    stage.agrees();
    nobody_is_left(&stage);
}

/// Somebody's event trigger has the last word: what came of the plan is said, journalled, and can be taken back.
#[test]
fn a_result_that_is_not_as_planned_is_no_success() {
    let stage = Stage::with(
        &format!(
            "{BASE} create function meddle() returns event_trigger language plpgsql as
             'begin alter table if exists public.fresh alter column a type bigint; end';
             create event trigger meddle_{} on ddl_command_end when tag in ('CREATE TABLE') execute function meddle()",
            std::process::id()
        ),
        &format!(
            "{}  fresh:\n    columns: {{ a: int }}\nfunctions: {{ meddle(): {{ returns: event_trigger, language: plpgsql,
             body: 'begin alter table if exists public.fresh alter column a type bigint; end' }} }}\n",
            t_with("")
        ),
    );
    let plan = stage.planned(&[]);
    let ran = stage.apply(&plan);
    ran.refused(&["the result is not as planned", "column public.fresh.a", "pgplumb rollback"]);
    let history = stage.on(&["history"]);
    assert!(history.ok().out.contains("failed") && history.out.contains("not as planned"), "{history}");
    let path = plan.display().to_string();
    let allow = "data_loss:table public.fresh";
    stage.on(&["rollback", &path, "--yes", "--allow", allow]).ok();
    assert_eq!(stage.sql("select to_regclass('public.fresh') is null"), "t");
    nobody_is_left(&stage);
}

// Failures in the middle.

const PARTS: &str = "
    create type mood as enum ('sad', 'happy');
    create table parent (id int primary key);
    create table child (id int primary key, parent int, feeling mood not null default 'sad');
    insert into parent values (1);
    insert into child values (1, 1), (2, 1);
    analyze;";

const PARTS_YAML: &str = "
enums:
  mood: [sad, soso, happy]
tables:
  parent:
    columns:
      id: int primary key
  child:
    columns:
      id: int primary key
      parent: int
      feeling:
        type: mood
        not_null: true
        default: \"'soso'\"
    foreign_keys:
      child_parent: (parent) references parent (id)
    checks:
      child_id: id > 0
";

#[test]
fn a_failure_in_the_middle_is_gone_on_from() {
    let stage = Stage::with(PARTS, PARTS_YAML);
    let plan = stage.planned(&[]);
    // The new label has to be committed before its use, and validations come last.
    stage.sql("insert into child values (3, 99)");
    let ran = stage.apply(&plan);
    ran.refused(&["batches 1 to", "are committed", "was rolled back", "23503", "pgplumb rollback"]);
    assert_eq!(stage.sql("select 'soso'::mood"), "soso");
    let told = history(&stage);
    assert!(told.contains("failed") && told.contains("23503"), "{told}");
    // Again without mending: the same place.
    stage.apply(&plan).refused(&["batches 1 to", "23503"]);
    stage.sql("delete from child where id = 3");
    let ran = stage.apply(&plan);
    assert!(ran.ok().err.contains("going on after batch"), "{ran}");
    stage.agrees();
    assert_eq!(stage.sql("select count(*) from pg_constraint where not convalidated"), "0");
    let told = history(&stage);
    assert_eq!((told.matches("failed").count(), told.matches(" done ").count()), (2, 1), "{told}");
    nobody_is_left(&stage);
}

#[test]
fn a_plan_applied_in_part_can_be_taken_back() {
    let stage = Stage::with(
        &PARTS.replace("'sad', 'happy'", "'sad', 'soso', 'happy'"),
        &PARTS_YAML.replace("parent: int\n", "parent: int not null\n"),
    );
    let before = stage.dump();
    let plan = stage.planned(&[]);
    stage.sql("insert into child values (3, 99)");
    stage.apply(&plan).refused(&["23503"]);
    assert_ne!(stage.dump(), before);
    let path = plan.display().to_string();
    stage.on(&["rollback", &path, "--yes"]).ok();
    assert_eq!(stage.dump(), before);
    stage.on(&["rollback", &path, "--yes"]).refused(&["knows of no batch"]);
    // And forward again.
    stage.sql("delete from child where id = 3");
    stage.apply(&plan).ok();
    stage.agrees();
    stage.on(&["rollback", &path, "--yes"]).ok();
    assert_eq!(stage.dump(), before);
    let told = history(&stage);
    assert!(told.contains("rollback"), "{told}");
}

/// A label has to be committed before its use. Nothing else is, so that nobody sees for a moment what the rest keeps safe.
#[test]
fn what_has_to_be_committed_first_comes_alone() {
    let base = "create type mood as enum ('sad'); create table docs (id int primary key, tenant int, feeling mood);
                create view all_docs as select id, tenant from docs;";
    let yaml = "
enums:
  mood: [sad, soso]
tables:
  docs:
    columns:
      id: int primary key
      tenant: int
      feeling: { type: mood, default: \"'soso'\" }
    rls: forced
    policies:
      own: { using: tenant = 1 }
    grants: { public: [select] }
";
    let stage = Stage::with(base, yaml);
    let (path, ran) = stage.plan(&["--allow", "access_widened:table public.docs"]);
    ran.ok();
    let plan = std::fs::read_to_string(path).expect("the plan");
    let plan: serde_yaml::Value = serde_yaml::from_str(&plan).expect("YAML");
    let batches = plan["batches"].as_sequence().expect("batches");
    let addresses = |batch: &serde_yaml::Value| {
        let steps = batch["steps"].as_sequence().expect("steps");
        steps.iter().map(|step| step["address"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(addresses(&batches[0]), ["enum public.mood"]);
    assert!(addresses(&batches[1]).contains(&"policy public.docs.own".to_owned()), "{batches:#?}");
}

#[test]
fn a_way_back_that_failed_in_the_middle_is_gone_on_from() {
    let stage = Stage::with(PARTS, PARTS_YAML);
    let before = stage.dump();
    let plan = stage.planned(&[]);
    stage.apply(&plan).ok();
    // In the way of the enum's way back, which comes last.
    stage.sql("create view by_hand as select 'sad'::mood as m");
    let path = plan.display().to_string();
    let ran = stage.on(&["rollback", &path, "--yes"]);
    ran.refused(&["are committed", "was rolled back", "run `pgplumb rollback` again"]);
    stage.apply(&plan).refused(&["the way back of this plan stopped half way"]);
    stage.sql("drop view by_hand");
    let ran = stage.on(&["rollback", &path, "--yes"]);
    assert!(ran.ok().err.contains("going on after batch"), "{ran}");
    assert_eq!(stage.dump(), before);
    // And forward again.
    stage.apply(&plan).ok();
    stage.agrees();
}

#[test]
fn what_was_mended_by_hand_between_batches_is_noticed() {
    let stage = Stage::with(PARTS, PARTS_YAML);
    let plan = stage.planned(&[]);
    stage.sql("insert into child values (3, 99)");
    stage.apply(&plan).refused(&["23503"]);
    stage.sql("alter table child drop constraint child_parent; delete from child where id = 3");
    let ran = stage.apply(&plan);
    ran.refused(&["child_parent"]);
}

#[test]
fn a_killed_backend_or_client_leaves_a_whole_number_of_batches() {
    let yaml = slow(3).replace("tables:", "enums:\n  mood: [sad, soso, happy]\ntables:").replace(
        "      n: int\n",
        "      n: int\n      feeling: { type: mood, not_null: true, default: \"'soso'\" }\n",
    );
    let base = format!(
        "create type mood as enum ('sad', 'happy'); {BASE} alter table t add feeling mood not null default 'sad';"
    );
    let stage = Stage::with(&base, &yaml);
    let plan = stage.planned(&[]);

    let run = apply_in_background(&stage, &plan);
    soon("the backfill runs", || runs(&stage, "UPDATE%pg_sleep"));
    stage.sql("select pg_terminate_backend(pid) from pg_stat_activity where query like 'UPDATE%pg_sleep%'");
    let ran = ended(run);
    ran.refused(&["apply the plan again"]);
    assert!(!shape(&stage).contains("slow"), "{}", shape(&stage));

    let mut run = apply_in_background(&stage, &plan);
    soon("the backfill runs", || runs(&stage, "UPDATE%pg_sleep"));
    run.0.kill().expect("kill -9");
    run.0.wait().expect("it ends");
    // The server notices when the statement ends, or before.
    nobody_is_left(&stage);
    assert!(!shape(&stage).contains("slow"), "{}", shape(&stage));

    stage.apply(&plan).ok();
    stage.agrees();
    assert_eq!(stage.sql("select count(*) from t where slow = 1"), "10");
    // Nobody could write the end of the run that was killed; the next one does.
    assert_eq!(stage.sql("select string_agg(state, ' ' order by id) from pgplumb.run"), "failed failed done");
}

// Privileges.

#[test]
fn missing_privileges_are_said_beforehand() {
    role("weak", "login");
    role("other_owner", "");
    let stage = Stage::with(
        BASE,
        &t_with(
            "      more: int\n  fresh:\n    owner: other_owner\n    columns:\n      id: int references o.secret (id)\n",
        ),
    );
    // Before 15 everybody may create there.
    stage.sql("alter table t owner to other_owner; revoke create on schema public from public");
    stage.sql("create schema o; create table o.secret (id int primary key); alter table o.secret owner to other_owner; grant usage on schema o to weak");
    let path = stage.path("plan.yaml").display().to_string();
    let ran = stage.on_as("weak", &["plan", "--out", &path]);
    let told = format!("{}{}", ran.ok().out, std::fs::read_to_string(&path).expect("the plan"));
    for words in [
        "belongs to role other_owner",
        "weak is not a member of it",
        "role weak may not create anything in it",
        "role weak may not write the journal",
        "is to belong to role other_owner, and weak may not act as it",
        "refers to table o.secret, on which weak lacks REFERENCES",
    ] {
        assert!(told.contains(words), "{words} is not in {told}");
    }
    // What it may not read is not taken for absent or clean.
    let ran = stage.on_as("weak", &["apply", &path, "--yes"]);
    ran.refused(&["the role needs CREATE on the database once"]);
    assert!(!shape(&stage).contains("more"));
}

/// Foreign keys are looked after as the owner, who finds nothing in a schema that he may not use.
#[test]
fn an_owner_whose_foreign_keys_would_refuse_rows_is_named() {
    role("no_user", "");
    let base = "create schema app; create table app.p (id int primary key); create table app.alone (id int);
        create table app.c (id int primary key, p int references app.p); insert into app.p values (1)";
    let yaml = |grants: &str| {
        format!(
            "schemas: [app]
schema: {{ app: {{ grants: {{ {grants} }} }} }}
tables:
  app.p: {{ columns: {{ id: int primary key }}, owner: no_user }}
  app.alone: {{ columns: {{ id: int }}, owner: no_user }}
  app.c: {{ columns: {{ id: int primary key, p: int references app.p }} }}
"
        )
    };
    let words = "is to belong to role no_user, which may not use schema app";
    let stage = Stage::with(base, &yaml("no_user: [create]"));
    let ran = stage.on(&["plan"]);
    assert_eq!(ran.ok().out.matches(words).count(), 1, "{ran}");
    assert!(ran.out.contains(&format!("table app.p: {words}")), "{ran}");
    // It would be so.
    stage.sql("alter table app.p owner to no_user");
    let refused = "do $$ begin insert into app.c values (1, 1); raise 'it is not'; exception when insufficient_privilege then null; end $$";
    stage.sql(refused);
    stage.sql("alter table app.p owner to postgres");
    for granted in ["no_user: [usage]", "public: [usage]"] {
        stage.declare(&yaml(granted));
        let ran = stage.on(&["plan"]);
        assert!(!ran.ok().out.contains(words), "{ran}");
    }
}

#[test]
fn a_backfill_touches_every_row_whatever_policies_hide() {
    role("rows_owner", "login");
    for force in ["force", "no force"] {
        let base = format!(
            "create table t (id int primary key, owner text);
             insert into t values (1, 'a'), (2, 'b'), (3, 'rows_owner');
             alter table t owner to rows_owner; alter table t enable row level security; alter table t {force} row level security;
             create policy own on t using (owner = current_user);
             grant create on schema public to rows_owner;
             create schema pgplumb authorization rows_owner; analyze t;"
        );
        let rls = if force == "force" { "forced" } else { "enabled" };
        let yaml = format!(
            "
tables:
  t:
    columns:
      id: int primary key
      owner: text
      tenant: {{ type: int, not_null: true, backfill: id * 10 }}
    rls: {rls}
    policies:
      own: {{ using: owner = current_user }}
"
        );
        let stage = Stage::with(&base, &yaml);
        let path = stage.path("plan.yaml").display().to_string();
        stage.on_as("rows_owner", &["plan", "--out", &path]).ok();
        stage.on_as("rows_owner", &["apply", &path, "--yes"]).ok();
        assert_eq!(stage.sql("select string_agg(tenant::text, ' ' order by id) from t"), "10 20 30", "{force}");
        let forced = stage.sql("select relrowsecurity, relforcerowsecurity from pg_class where relname = 't'");
        assert_eq!(forced, if force == "force" { "t|t" } else { "t|f" });
        stage.agrees();
    }
}

/// PostgreSQL looks for rows that refer to nothing as whoever asks, and is told not to let policies hide any.
#[test]
fn foreign_keys_are_tested_whatever_policies_hide() {
    role("rows_owner", "login");
    for ty in ["int", "bigint"] {
        let known = if ty == "int" { "" } else { "references tenants (id)" };
        let base = format!(
            "create table tenants (id int primary key); create table orders (tenant_id int not null {known}, n int);
             insert into tenants values (1); insert into orders values (1, 1);
             alter table tenants owner to rows_owner; alter table orders owner to rows_owner;
             alter table tenants enable row level security, force row level security;
             alter table orders enable row level security, force row level security;
             grant create on schema public to rows_owner; create schema pgplumb authorization rows_owner; analyze;"
        );
        let yaml = format!(
            "
tables:
  tenants:
    columns:
      id: {ty} primary key
    rls: forced
  orders:
    columns:
      tenant_id: {ty} not null references tenants (id)
      n: int
    rls: forced
  fresh:
    columns:
      tenant_id: {ty} not null references tenants (id)
    rls: forced
"
        );
        let stage = Stage::with(&base, &yaml);
        let path = stage.path("plan.yaml").display().to_string();
        stage.on_as("rows_owner", &["plan", "--out", &path]).ok();
        stage.on_as("rows_owner", &["apply", &path, "--yes"]).ok();
        let forced =
            "select bool_and(relforcerowsecurity) from pg_class where relname in ('tenants', 'orders', 'fresh')";
        assert_eq!(stage.sql(forced), "t");
        assert_eq!(stage.sql("select bool_and(convalidated) from pg_constraint where contype = 'f'"), "t");
        stage.agrees();
    }
}

/// A grant that the role may not make draws a warning from PostgreSQL and nothing else.
#[test]
fn grants_that_were_ignored_are_no_success() {
    for option in ["", "with grant option"] {
        role("rows_owner", "login");
        role("looks_on", "");
        let base = format!(
            "create table t (id int primary key); grant select on t to rows_owner {option};
             create schema pgplumb authorization rows_owner;"
        );
        let yaml = "\ntables:\n  t:\n    columns:\n      id: int primary key\n    grants: {rows_owner: [select], looks_on: [select]}\n";
        let yaml = if option.is_empty() {
            yaml.to_owned()
        } else {
            yaml.replace("rows_owner: [select]", "rows_owner: [select with grant option]")
        };
        let stage = Stage::with(&base, &yaml);
        let path = stage.path("plan.yaml").display().to_string();
        stage.on_as("rows_owner", &["plan", "--out", &path, "--allow", "access_widened:table public.t"]).ok();
        stage
            .on_as("rows_owner", &["apply", &path, "--yes"])
            .refused(&["owner or grants of table public.t are others"]);
    }
}

// What the data says.

#[test]
fn preflight_counts_what_would_be_refused_and_names_rows() {
    let base = "
        create type colour as enum ('red', 'blue');
        create table p (id int primary key);
        insert into p values (1);
        create table t (id int primary key, a text, b int, c text, d text, e text, f int);
        insert into t select i, case when i > 3 then 'x' end, i, 'same', case when i % 2 = 0 then 'red' else 'green' end, 'y' || i, i
        from generate_series(1, 6) i;
        analyze;";
    let yaml = "
enums:
  colour: [red, blue]
tables:
  p:
    columns:
      id: int primary key
  t:
    columns:
      id: int primary key
      a: text not null
      b: int
      c: text
      d: colour
      e: int
      f: int
      g: int not null
    checks:
      small: b <= 4
    uniques:
      one_c: c
    foreign_keys:
      to_p: (f) references p (id)
";
    let stage = Stage::with(base, yaml);
    let (path, ran) = stage.plan(&[]);
    let told = format!("{}{}", ran.ok().out, std::fs::read_to_string(&path).expect("the plan"));
    let plan: serde_yaml::Value =
        serde_yaml::from_str(&std::fs::read_to_string(&path).expect("the plan")).expect("YAML");
    let finding = |address: &str| {
        let findings = plan["findings"].as_sequence().expect("findings");
        let found =
            findings.iter().find(|f| f["address"] == address).unwrap_or_else(|| panic!("{address} is not in {told}"));
        let examples: Vec<&str> =
            found["examples"].as_sequence().map(|e| e.iter().filter_map(|e| e.as_str()).collect()).unwrap_or_default();
        (found["rows"].as_u64().expect("rows"), examples.join(" "))
    };
    assert_eq!(finding("column public.t.a"), (3, "1 2 3".into()));
    assert_eq!(finding("column public.t.g").0, 6);
    assert_eq!(finding("check public.t.small"), (2, "5 6".into()));
    assert_eq!(finding("column public.t.d"), (3, "1 3 5".into()));
    assert_eq!(finding("foreign key public.t.to_p"), (5, "2 3 4".into()));
    let (rows, _) = finding("unique public.t.one_c");
    assert!(rows > 0);
    // From 16 on the server itself is asked what a type refuses.
    if pgplumb_major() >= 16 {
        assert_eq!(finding("column public.t.e").0, 6);
    }
    // No content of rows in the plan.
    assert!(!told.contains("green") && !told.contains("same"), "{told}");
    // Who knows better may say so; then the server decides.
    let ran = stage.apply(&path);
    ran.refused(&["--allow 'may_fail_on_data:check public.t.small'"]);
    let flags: Vec<String> =
        ran.err.split('\'').filter(|f| f.starts_with("may_fail_on_data:")).map(str::to_owned).collect();
    let flags: Vec<&str> = flags.iter().flat_map(|f| ["--allow", f]).collect();
    let plan = stage.planned(&flags);
    stage.apply(&plan).refused(&["nothing was changed"]);
}

fn pgplumb_major() -> u32 {
    support::stage::server().major()
}

#[test]
fn a_row_that_loses_its_value_is_a_hazard() {
    let base =
        "create table t (id int primary key, name text); insert into t values (1, 'a'), (2, 'b'), (3, 'c'); analyze;";
    let yaml = "tables:\n  t:\n    columns:\n      id: int primary key\n      name: text\n    rows:\n      - { id: 1, name: A }\n      - { id: 4, name: d }\n";
    let stage = Stage::with(base, yaml);
    let plan = stage.planned(&[]);
    stage.apply(&plan).refused(&["--allow 'data_loss:row public.t.1'"]);
    let plan = stage.planned(&["--allow", "data_loss:row public.t.1"]);
    stage.apply(&plan).ok();
    assert_eq!(stage.sql("select string_agg(name, ' ' order by id) from t"), "A b c d");
    stage.agrees();
}

#[test]
fn history_of_a_database_without_a_journal() {
    let stage = Stage::with("", "");
    assert!(history(&stage).contains("no plan was applied here yet"));
    assert_eq!(stage.sql("select to_regnamespace('pgplumb') is null"), "t");
}

// What is left on the machine.

#[test]
fn local_scratch_leaves_no_process_and_no_file() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::with(BASE, &t_with("      more: int\n"));
    let base = tempfile::tempdir_in("/tmp").expect("a directory");
    std::fs::set_permissions(base.path(), std::fs::Permissions::from_mode(0o1777)).expect("its mode");
    let entries = || std::fs::read_dir(base.path()).expect("the directory").count();
    let run = |arguments: &[&str]| {
        let mut command = stage.command(arguments);
        Ran::of(command.env("TMPDIR", base.path()).output().expect("pgplumb runs"))
    };
    let url = stage.url();
    let path = stage.path("plan.yaml").display().to_string();
    run(&["plan", "--scratch", "local", "--out", &path, "--url", &url]).ok();
    assert_eq!(entries(), 0);
    run(&["apply", &path, "--yes", "--url", &url]).ok();
    stage.declare("tables:\n  t:\n    columns:\n      id: nosuch primary key\n");
    run(&["plan", "--scratch", "local", "--url", &url]).refused(&["nosuch"]);
    assert_eq!(entries(), 0);
}
