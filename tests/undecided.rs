//! Texts that differ and may mean the same: decided in scratch, remembered in the lock, undecided without scratch,
//! and never guessed. That scratch decides rightly, `fixpoints` shows; here is what people see of it.

mod support;

use std::os::unix::process::CommandExt;
use support::stage::{server, Ran, Stage};

/// A table with a check that the server prints one way when it is written by hand, and another way when that print is
/// fed back.
const BY_HAND: &str = "create table t (id int, s varchar(9), constraint c check (s in ('a', 'b')));";

/// Declared as it prints in the end: what is live prints as none of the declared one's prints.
const AS_PRINTED: &str = "
tables:
  t:
    columns: { id: int, s: varchar(9) }
    checks: { c: \"s::text = any (array[('a'::varchar)::text, ('b'::varchar)::text])\" }
";

/// A stage whose lock is fresh, so that nothing but a doubt asks for scratch.
fn compiled(sql: &str, yaml: &str) -> Stage {
    let stage = Stage::with(sql, yaml);
    stage.on(&["compile"]).ok();
    std::fs::create_dir(stage.path("empty")).expect("a directory");
    stage
}

/// Runs where no scratch can be had: no binaries are in that directory.
fn without_scratch(stage: &Stage, arguments: &[&str]) -> Ran {
    let mut all = arguments.to_vec();
    all.extend(["--scratch", "empty"]);
    stage.on(&all)
}

fn lock(stage: &Stage) -> String {
    std::fs::read_to_string(stage.path("schema/schema.lock")).expect("the lock")
}

fn told(ran: &Ran) -> serde_json::Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran}"))
}

#[track_caller]
fn has(ran: &Ran, status: i32, words: &[&str]) {
    assert_eq!(ran.status, Some(status), "{ran}");
    for word in words {
        assert!(ran.out.contains(word), "`{word}` is not in: {ran}");
    }
}

#[test]
fn without_scratch_nobody_knows() {
    let stage = compiled(BY_HAND, AS_PRINTED);
    has(
        &without_scratch(&stage, &["drift"]),
        1,
        &["Undecided", "check public.t.c", "scratch cannot be had", "1 undecided"],
    );
    let json = told(&without_scratch(&stage, &["drift", "--format", "json"]));
    assert_eq!((&json["outcome"], &json["counts"]["undecided"]), (&"undecided".into(), &1.into()), "{json}");
    let open = &json["undecided"][0];
    assert_eq!((&open["address"], &open["fields"][0]["field"]), (&"check public.t.c".into(), &"expression".into()));
    assert!(open["why"].as_str().is_some_and(|why| why.contains("scratch cannot be had")), "{json}");
    assert_eq!(json["differences"], serde_json::json!([]));
    let junit = without_scratch(&stage, &["drift", "--format", "junit"]);
    has(&junit, 1, &["errors=\"1\"", "failures=\"0\"", "classname=\"undecided\"", "<error message=\"scratch cannot"]);
    has(&without_scratch(&stage, &["drift", "--format", "markdown"]), 1, &["## Could not tell", "### Undecided"]);
    let (_, ran) = stage.plan(&["--scratch", "empty"]);
    ran.refused(&["undecided", "check public.t.c", "--scratch"]);
}

#[test]
fn what_is_certain_counts_for_more() {
    let stage = compiled(&format!("{BY_HAND} create table extra (id int);"), AS_PRINTED);
    let ran = without_scratch(&stage, &["drift", "--format", "json"]);
    assert_eq!(ran.status, Some(2), "{ran}");
    let json = told(&ran);
    assert_eq!((&json["outcome"], &json["counts"]["undecided"]), (&"differences".into(), &1.into()), "{json}");
    assert_eq!(json["differences"].as_array().map(Vec::len), Some(1), "{json}");
}

#[test]
fn what_was_decided_is_remembered() {
    let stage = compiled(BY_HAND, AS_PRINTED);
    let before = lock(&stage);
    let ran = stage.on(&["drift"]);
    has(&ran, 0, &["In agreement"]);
    assert!(ran.err.contains("wrote schema/schema.lock"), "{ran}");
    let learned = lock(&stage);
    assert_ne!(before, learned);
    has(&without_scratch(&stage, &["drift", "--locked"]), 0, &["In agreement"]);
    assert_eq!(without_scratch(&stage, &["plan", "--exit-code"]).status, Some(0));
    // Nobody asks again, so nothing is written again.
    assert!(stage.on(&["drift"]).ok().err.is_empty());
    assert_eq!(lock(&stage), learned);
}

#[test]
fn plans_remember_too() {
    let stage = compiled(BY_HAND, AS_PRINTED);
    assert_eq!(stage.on(&["plan", "--exit-code"]).status, Some(0));
    has(&without_scratch(&stage, &["drift"]), 0, &["In agreement"]);
}

#[test]
fn a_lock_that_cannot_be_written_is_no_failure() {
    let stage = compiled(BY_HAND, AS_PRINTED);
    let before = lock(&stage);
    has(&stage.on(&["drift", "--locked"]), 0, &["In agreement"]);
    assert_eq!(stage.on(&["plan", "--locked", "--exit-code"]).status, Some(0));
    assert_eq!(lock(&stage), before, "--locked writes nothing");

    let mut command = stage.command(&["drift", "--url", &stage.url()]);
    // SAFETY: both functions may be called between fork and exec.
    unsafe {
        command.pre_exec(|| {
            // No file may be longer than nothing: root can write everywhere else.
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            libc::setrlimit(libc::RLIMIT_FSIZE, &none);
            Ok(())
        });
    }
    let ran = Ran::of(command.output().expect("pgplumb runs"));
    has(&ran, 0, &["In agreement"]);
    assert!(ran.err.contains("note: cannot write"), "{ran}");
    assert_eq!(lock(&stage), before);
}

/// Addresses that differ, with the fields.
fn differences(stage: &Stage) -> Vec<String> {
    let json = told(&stage.on(&["drift", "--format", "json"]));
    assert_eq!(json["undecided"], serde_json::json!([]), "{json}");
    let list = json["differences"].as_array().expect("a list").clone();
    let one = |d: &serde_json::Value| {
        let fields = d["fields"].as_array().cloned().unwrap_or_default();
        let names: Vec<&str> = fields.iter().filter_map(|f| f["field"].as_str()).collect();
        format!("{}: {}", d["address"].as_str().unwrap_or_default(), names.join(", "))
    };
    list.iter().map(one).collect()
}

#[test]
fn only_what_differs_in_meaning_is_said() {
    let stage = compiled(
        "create table t (id int, s varchar(9), g int generated always as (case when s in ('a', 'b') then 1 end) stored);
         create policy p on t using (s in ('a', 'b')) with check (s in ('c', 'd'));
         create index i on t ((case when s in ('a', 'b') then id end), id) where s in ('e', 'f')",
        "
tables:
  t:
    columns:
      id: int
      s: varchar(9)
      g: { type: bigint, generated: \"case when s::text = any (array[('a'::varchar)::text, ('b'::varchar)::text]) then 1 end\" }
    policies:
      p:
        using: \"s::text = any (array[('a'::varchar)::text, ('b'::varchar)::text])\"
        check: \"s::text = any (array[('d'::varchar)::text, ('c'::varchar)::text])\"
    indexes:
      i:
        keys: \"(case when s::text = any (array[('a'::varchar)::text, ('b'::varchar)::text]) then id end), id\"
        where: s in ('f', 'e')
",
    );
    let found = differences(&stage);
    assert_eq!(found, ["column public.t.g: type", "index public.t.i: where", "policy public.t.p: check"]);
}

/// A text counts in its own surroundings: put into the declared ones, the live check would print as the declared.
#[test]
fn other_surroundings_make_no_equality() {
    let stage = compiled(
        "create table t (s text, constraint c check (s = 'a'))",
        "tables: { t: { columns: { s: varchar(9) }, checks: { c: s = 'a' } } }",
    );
    assert_eq!(differences(&stage), ["check public.t.c: expression", "column public.t.s: type"]);
}

/// What is declared without a schema is looked up in those of the declaration, and what the database prints without
/// one is the system's.
#[test]
fn one_text_in_two_places_makes_no_equality() {
    let stage = compiled(
        "create table t (a int[], constraint c check (array_length(a, 1) > 0));
         create function array_length(a int[], n int) returns int language sql immutable return 1",
        "
functions:
  array_length(a int[], n int): { returns: int, immutable: true, atomic: return 1 }
tables:
  t: { columns: { a: \"int[]\" }, checks: { c: \"(array_length(a, 1) > 0)\" } }
",
    );
    assert_eq!(differences(&stage), ["check public.t.c: expression"]);
}

#[test]
fn other_surroundings_make_no_difference() {
    let stage = compiled(
        "create table t (s varchar(5), constraint c check (s in ('a', 'b')))",
        "tables: { t: { columns: { s: varchar(9) }, checks: { c: \"s::text = any (array['a'::varchar::text, 'b'::varchar::text])\" } } }",
    );
    assert_eq!(differences(&stage), ["column public.t.s: type"]);
}

/// What rests on something that is not managed cannot be built, and is certainly not what is declared.
#[test]
fn what_is_not_managed_is_not_what_is_declared() {
    let stage = compiled(
        "create schema other; create table other.o (id int); create type other.kind as enum ('x');
         create table t (id int, s varchar(9), k other.kind, constraint c check (s in ('a', 'b')));
         create view v as select id from other.o;
         create view w as select id from v where id > 0",
        &format!("{AS_PRINTED}views: {{ v: {{ query: select id from t }}, w: {{ query: select id from v where id > 1 }} }}\n"),
    );
    // The table can be built without the column that cannot be.
    assert_eq!(differences(&stage), ["column public.t.k: ", "view public.v: query", "view public.w: query"]);
    stage.planned(&["--allow", "data_loss:column public.t.k"]);
}

/// The catalog does not tell what a body mentions; then all that is live is built.
/// What others own is laid in scratch as the database has it, so that what rests on it can be compared.
#[test]
fn what_others_own_is_no_obstacle() {
    let stage = compiled(
        "create schema auth; create table auth.users (id int primary key, role varchar(9));
         create function auth.uid() returns int language sql stable as 'select 1';
         create table t (id int, alter_ego int references auth.users);
         create policy p on t using (id = auth.uid()
             or exists (select from auth.users u where u.id = t.id and u.role in ('a', 'b')));",
        "
tables:
  t:
    columns: { id: int, alter_ego: int references auth.users (id) }
    policies:
      p:
        using: |
          id = auth.uid() or exists (select from auth.users u where u.id = t.id
            and u.role::text = any (array[('a'::varchar)::text, ('b'::varchar)::text]))
",
    );
    has(&stage.on(&["drift"]), 0, &["In agreement"]);
    stage.sql("drop policy p on t; create policy p on t using (id = auth.uid());");
    has(&stage.on(&["drift"]), 2, &["table public.t", "policy p"]);
}

/// On a server of our own nobody but a superuser makes extensions, and what is compared may use one.
#[test]
fn extensions_are_no_obstacle() {
    let extension = ["vector", "citext"].into_iter().find(|name| server().install().has_extension(name));
    let Some(extension) = extension else { panic!("no extension to try it with") };
    let stage = compiled(
        &format!(
            "create extension {extension}; create table t (s varchar(9), e {extension},
             constraint c check (s in ('a', 'b') and e is not null))"
        ),
        &format!(
            "
extensions: [{extension}]
tables:
  t:
    columns: {{ s: varchar(9), e: {extension} }}
    checks: {{ c: \"s::text = any (array[('a'::varchar)::text, ('b'::varchar)::text]) and e is not null\" }}
"
        ),
    );
    has(&stage.on(&["drift", "--scratch", "local"]), 0, &["In agreement"]);
}

#[test]
fn bodies_may_mention_what_no_catalog_tells() {
    let functions = "
functions:
  g(n int): { returns: int, language: sql, immutable: true, body: select n + 1 }
  f(n int): { returns: int, language: sql, immutable: true, body: select public.g(n) }
tables:
  t:
    columns: { id: int, s: varchar(9) }
    indexes: { i: \"(case when f(id) > 0 and s::text = any (array[('a'::varchar)::text, ('b'::varchar)::text]) then 1 end)\" }
";
    let stage = compiled(
        "create function g(n int) returns int language sql immutable as 'select n + 1';
         create function f(n int) returns int language sql immutable as 'select public.g(n)';
         create table t (id int, s varchar(9));
         create index i on t ((case when f(id) > 0 and s in ('a', 'b') then 1 end))",
        functions,
    );
    assert!(differences(&stage).is_empty());
}

/// What does not work in the database does not work in scratch; a plan mends it all the same.
#[test]
fn what_cannot_be_built_is_no_obstacle_to_a_plan() {
    let stage = compiled(
        "create table gone (id int);
         create function f(n int) returns int language sql immutable as 'select n + count(*)::int from public.gone';
         create table t (id int, s varchar(9));
         create index i on t ((case when f(id) > 0 and s in ('a', 'b') then 1 end));
         drop table gone",
        "
functions:
  f(n int): { returns: int, language: sql, immutable: true, body: select n }
tables:
  t:
    columns: { id: int, s: varchar(9) }
    indexes: { i: \"(case when f(id) > 0 and s::text = any (array[('a'::varchar)::text, ('b'::varchar)::text]) then 1 end)\" }
",
    );
    has(
        &stage.on(&["drift"]),
        2,
        &["function public.f", "Undecided", "index public.t.i", "the live one: index public.t.i"],
    );
    let (path, ran) = stage.plan(&[]);
    assert!(ran.ok().err.contains("note: index public.t.i may be as declared"), "{ran}");
    stage.apply(&path).ok();
    stage.agrees();
}

/// The lock that `init` writes holds what the database printed, which need not be a fixpoint.
#[test]
fn an_adopted_database_is_compared_with_others() {
    let stage = Stage::new();
    stage.sql(BY_HAND);
    let url = stage.url();
    stage.run(&["init", "adopted", "--url", &url]).ok();
    let other = Stage::new();
    other.sql("create table t (id int, s varchar(9), constraint c check (s::text = any (array['a'::varchar::text, 'b'::varchar::text])))");
    let declaration = stage.path("adopted/schema").display().to_string();
    has(&stage.run(&["drift", &declaration, "--url", &url]), 0, &["In agreement"]);
    has(&other.on(&["drift", &declaration]), 0, &["In agreement"]);
}

#[test]
fn renames_stand_in_nobodys_way() {
    let stage = compiled(
        "create table old_t (id int, s varchar(9), constraint c check (s in ('a', 'b')), constraint d check (old_t is not null));
         create view v as select old_t.id from old_t where old_t.s in ('a', 'b')",
        "
tables:
  new_t:
    was: old_t
    columns: { id: int, s: varchar(9) }
    checks:
      c: \"s::text = any (array[('a'::varchar)::text, ('b'::varchar)::text])\"
      d: new_t is not null
views:
  v: { query: \"select new_t.id from new_t where new_t.s::text = any (array[('a'::varchar)::text, ('b'::varchar)::text])\" }
",
    );
    let (path, ran) = stage.plan(&[]);
    ran.ok();
    let plan: serde_yaml::Value =
        serde_yaml::from_str(&std::fs::read_to_string(&path).expect("the plan")).expect("YAML");
    assert_eq!(plan["summary"], "1 to rename", "{ran}");
    stage.apply(&path).ok();
    stage.agrees();
}

/// What is made of a print may print otherwise: a constant of a set operation gets a name, casts move into an array.
#[test]
fn what_was_adopted_and_prints_otherwise_is_planned() {
    const SQL: &str = "
        create table t (id int, s varchar(10), constraint c check (s in ('a', 'b')));
        create index i on t (id) where s in ('a', 'b');
        create view v as select t.a, array_agg(t.reason) as reason
          from (select 1 as a, 'm'::text as reason union all select 2, 'x') t group by 1";
    for (drop, flags) in [("", &[][..]), ("", &["--no-rehearsal"][..]), ("alter table t drop constraint c", &[][..])] {
        let there = Stage::with(SQL, "");
        let here = Stage::new();
        here.run(&["init", "adopted", "--url", &there.url()]).ok();
        let declared = here.path("adopted/schema").display().to_string();
        let plan = here.path("plan.yaml").display().to_string();
        let changed = if drop.is_empty() { &here } else { &there };
        changed.sql(drop);
        changed.on(&[&["plan", &declared, "--out", &plan][..], flags].concat()).ok();
        changed.on(&["apply", &plan, "--yes"]).ok();
        for database in [changed, &there] {
            let ran = here.run(&["plan", &declared, "--exit-code", "--url", &database.url()]);
            assert_eq!(ran.status, Some(0), "{ran}");
        }
    }
}
