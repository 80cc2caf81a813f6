//! Reading a database with many relations: on two connections that see one state, or on one where the role may open no
//! other. What is found is the same.

mod support;

use pgplumb::catalog::{self, connect::Target, Session, Wanted};
use pgplumb::model::Address;
use serde_json::Value;
use support::server::{majors, Server};
use support::stage::{role, Stage};

/// More tables than one connection reads alone, with all that a relation's own columns are named in.
const WIDE: &str = r#"
do $$ begin
  for n in 1 .. 700 loop
    execute format('create table t%1$s (id int primary key, "Of" int references t%2$s, note text default ''a,b'' check (note <> ''''), doc jsonb)',
                   n, greatest(n - 1, 1));
    execute format('create index on t%s ("Of" desc, lower(note)) include (id)', n);
    execute format('create index on t%s using gin (doc jsonb_path_ops)', n);
    execute format('create policy mine on t%s using ("Of" = 1)', n);
  end loop;
end $$"#;

fn target(url: &str) -> Target {
    Target::resolve(Some(url), &|_| None).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn one_connection_finds_what_two_find() {
    let stage = Stage::new();
    stage.sql(WIDE);
    role("reads_alone", "login connection limit 1");
    role("reads_twice", "login");
    stage.on(&["init", "--force"]).ok();
    for role in ["reads_alone", "reads_twice"] {
        let ran = stage.on_as(role, &["drift", "schema"]);
        assert_eq!(ran.status, Some(0), "{role}: {ran}");
    }
    stage.sql(
        "alter table t7 rename note to remark; alter policy mine on t9 using (true);
         drop index t11_doc_idx; create index t11_doc_idx on t11 using gin (doc); comment on table t13 is 'odd'",
    );
    let alone = stage.on_as("reads_alone", &["drift", "schema"]);
    let twice = stage.on_as("reads_twice", &["drift", "schema"]);
    assert_eq!(alone.status, Some(2), "{alone}");
    assert_eq!(alone.to_string(), twice.to_string());
    for named in ["column note", "column remark", "policy mine", "t11_doc_idx", "jsonb_path_ops", "odd"] {
        assert!(alone.to_string().contains(named), "{named}: {alone}");
    }
}

/// Expressions that are kept as one tree, and print differently where they name what they stand in.
const ALIKE: &str = r#"
create schema other;
create table m (tid int, id int);
create type pair as (x int, y int);
do $$ begin
  for n in 1 .. 4 loop
    execute format('create table a%1$s (id int default 7, tid int default 7, note text default ''{QUERY :varattno 0 }'', c pair,
                      twice int generated always as (id * 2) stored,
                      check (id > 0), check (a%1$s.* is not null), check ((c).x > tid), check (tableoid > 0), check (note <> '':varattno 0 ''))', n);
    execute format('create policy own on a%1$s using (tid = 1) with check (tid = 1)', n);
    execute format('create policy joined on a%1$s using (exists (select from m where m.tid = a%1$s.tid and m.id = a%1$s.id))', n);
    execute format('create policy free on a%1$s for select using (tid in (select tid from m))', n);
    execute format('create policy whole on a%1$s for delete using (a%1$s is not null)', n);
    execute format('create policy all_see on a%1$s for select using (current_user = ''x'')', n);
    execute format('create policy system on a%1$s for select using (ctid is not null)', n);
  end loop;
end $$;
alter table a2 rename tid to "Tenant id";
alter table a3 rename id to "check";
create table other.a1 (gone int, id int, tid int, check (id > 0));
create policy own on other.a1 using (tid = 1);
alter table other.a1 drop column gone;
create table other.a5 (id int, tid int, check (id > 0));
create policy own on other.a5 using (tid = 1);
"#;

/// What the server prints of each expression by itself: the path of what it belongs to, the field, the text.
const EACH: &str = r#"
select format('schema %s/table %s/policy %s', n.nspname, c.relname, p.polname), e.field, pg_get_expr(e.tree, c.oid)
from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
cross join lateral (values ('using', p.polqual), ('check', p.polwithcheck)) e (field, tree) where e.tree is not null
union all
select format('schema %s/table %s/check %s', n.nspname, c.relname, k.conname), 'expression', pg_get_expr(k.conbin, c.oid)
from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace where k.contype = 'c'
union all
select format('schema %s/table %s/column %s', n.nspname, c.relname, a.attname),
       case when a.attgenerated = '' then 'default' else 'generated.as' end, pg_get_expr(d.adbin, c.oid)
from pg_attrdef d join pg_class c on c.oid = d.adrelid join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum = d.adnum
where n.nspname in ('public', 'other')"#;

#[test]
fn expressions_print_as_each_prints_alone() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for major in majors() {
        let server = Server::start(major);
        server.psql("postgres", ALIKE).unwrap_or_else(|error| panic!("{error}"));
        runtime.block_on(async {
            let session = Session::open(&server.target("postgres")).await.expect("a session");
            let schemas = vec!["public".to_owned(), "other".to_owned()];
            let loaded = catalog::load(&session, &Wanted { schemas, ..Wanted::default() }, catalog::Depth::Model)
                .await
                .expect("a model");
            let rows = session.client.query(EACH, &[]).await.expect("texts");
            assert!(rows.len() > 60, "{} texts", rows.len());
            for row in rows {
                let (path, field, text): (String, String, String) = (row.get(0), row.get(1), row.get(2));
                let address = Address::parse(&path, pgplumb::kinds::kind_of_path).expect("a path");
                let node = loaded.model.get(&address).unwrap_or_else(|| panic!("{path} was not read"));
                let spec: Value = node.spec.read().expect("a spec");
                let read = field.split('.').try_fold(&spec, |at, key| at.get(key)).and_then(Value::as_str);
                assert_eq!(read, Some(text.as_str()), "{field} of {path} on PostgreSQL {major}");
            }
        });
    }
}

/// The server prints names as they are now, and waits for who changes them.
#[test]
fn a_column_renamed_meanwhile_changes_no_other_table() {
    let stage = Stage::new();
    stage.sql(
        "do $$ begin
           for n in 1 .. 6 loop
             execute format('create table t%1$s (id int primary key, tenant int check (tenant > 0))', n);
             execute format('create policy p on t%1$s using (tenant = 1)', n);
           end loop;
         end $$",
    );
    for renamed in ["t1", "t3", "t6"] {
        let mut other = stage.session();
        other.feed(&format!("begin; alter table {renamed} rename tenant to tenantx; select pg_sleep(1); commit;"));
        let locked = format!(
            "select count(*) from pg_locks where relation = '{renamed}'::regclass and mode = 'AccessExclusiveLock' and granted"
        );
        support::stage::soon("the rename", || stage.sql(&locked).trim() == "1");
        let read = stage.on(&["inspect"]).to_string();
        other.end();
        // Before the rename or after it, but one of the two.
        let count = |words: &str| read.matches(words).count();
        let old = ["tenant: integer", "(tenant > 0)", "(tenant = 1)"].map(count);
        let new = ["tenantx: integer", "(tenantx > 0)", "(tenantx = 1)"].map(count);
        assert!(matches!((old, new), ([6, 6, 6], [0, 0, 0]) | ([5, 5, 5], [1, 1, 1])), "{renamed}: {read}");
        stage.sql(&format!("alter table {renamed} rename tenantx to tenant"));
    }
}

#[test]
fn a_twin_sees_the_same_state() {
    let stage = Stage::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let session = Session::open(&target(&stage.url())).await.expect("a session");
        session.snapshot().await.expect("a snapshot");
        let count = "select count(*) from pg_class where relname = 'later'";
        let before: i64 = session.client.query_one(count, &[]).await.expect("a count").get(0);
        stage.sql("create table later ()");
        let twin = session.twin().await.expect("the session lives").expect("a twin");
        let seen: i64 = twin.client.query_one(count, &[]).await.expect("a count").get(0);
        assert_eq!((before, seen), (0, 0));
        let after = Session::open(&target(&stage.url())).await.expect("a session");
        let seen: i64 = after.client.query_one(count, &[]).await.expect("a count").get(0);
        assert_eq!(seen, 1);
    });
}

#[test]
fn what_is_there_and_not_managed_is_not_missing() {
    let stage = Stage::with(
        "create table a (id int primary key, note text); create table b (id int primary key);
         create table parts (id int) partition by range (id); create foreign data wrapper w; create server s foreign data wrapper w;
         create foreign table far (id int) server s",
        "tables:\n  a:\n    columns: {id: int primary key, note: text}\n  b:\n    columns: {id: int primary key}\n  far:\n    columns: {id: int}\n  parts:\n    columns: {id: int}\n",
    );
    stage.sql("create table heir () inherits (a)");
    let ran = stage.on(&["drift", "schema"]);
    assert_eq!(ran.status, Some(1), "{ran}");
    for words in [
        "table public.a: it is a table that another inherits from",
        "table public.far: it is a foreign table",
        "table public.parts: it is a partitioned table",
    ] {
        assert!(ran.to_string().contains(words), "{words}: {ran}");
    }
    assert!(!ran.to_string().contains("not there"), "{ran}");
    let junit = stage.on(&["drift", "schema", "--format", "junit"]).to_string();
    assert_eq!(junit.matches("name=\"table public.far").count(), 1, "{junit}");
    stage.sql("alter table b add odd int");
    assert_eq!(stage.on(&["drift", "schema"]).status, Some(2));
}

#[test]
fn what_is_taken_out_after_init_is_missed() {
    let stage = Stage::new();
    stage.sql(
        "create function tf() returns trigger language plpgsql as 'begin return new; end';
         create table d (id serial primary key, tid int, x text, constraint one check (1 = 1));
         alter table d enable row level security; create policy p on d using (true);
         create trigger g before update on d for each row execute function tf()",
    );
    stage.on(&["init", "--force"]).ok();
    let path = "schema/tables/d.yaml";
    let written = std::fs::read_to_string(stage.path(path)).expect("the file of the table");
    // Each alone: what else is there stays as it is.
    for (gone, named) in [
        (vec!["tid: integer"], "column tid"),
        (vec!["rls: enabled"], "row security"),
        (vec!["one:"], "check one"),
        (vec!["policies:", "  p:"], "policy p"),
        (vec!["triggers:", "  g:"], "trigger g"),
    ] {
        let taken = without(&written, &gone);
        assert_ne!(taken, written, "{gone:?} is nowhere in\n{written}");
        stage.file(path, &taken);
        let lock = std::fs::read(stage.path("schema/schema.lock")).expect("a lock");
        let ran = stage.on(&["drift", "schema"]);
        assert_eq!(ran.status, Some(2), "{gone:?}: {ran}");
        assert!(ran.to_string().contains(named), "{named}: {ran}");
        assert!(ran.to_string().contains("Drift: 1 difference"), "{gone:?}: {ran}");
        std::fs::write(stage.path("schema/schema.lock"), lock).expect("the lock as init wrote it");
        stage.file(path, &written);
    }
    assert_eq!(stage.on(&["drift", "schema"]).status, Some(0));
}

/// The text without the lines that begin so, and what is indented below them.
fn without(text: &str, beginnings: &[&str]) -> String {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut below = None;
    let kept = text.lines().filter(|line| {
        if below.is_some_and(|at| depth(line) > at) {
            return false;
        }
        let gone = beginnings.iter().any(|start| line.trim_start().starts_with(start.trim_start()));
        below = gone.then(|| depth(line));
        !gone
    });
    kept.map(|line| format!("{line}\n")).collect()
}

/// Whoever looks at a schema waits for nobody who has a table to himself, and who plans does not if the plan is not about
/// it: only then it is asked how large it is.
#[test]
fn a_locked_table_is_read_meanwhile() {
    let other = "other: { columns: { id: int, more: text } }";
    let stage = Stage::with(
        "create table t (id int, n text); create table other (id int)",
        &format!("tables:\n  t: {{ columns: {{ id: int, n: text }} }}\n  {other}\n"),
    );
    stage.run(&["compile"]).ok();
    let mut other = stage.session();
    other.feed("begin; lock table t in access exclusive mode; select pg_sleep(60); commit;");
    let locked =
        "select count(*) from pg_locks where relation = 't'::regclass and mode = 'AccessExclusiveLock' and granted";
    support::stage::soon("the lock", || stage.sql(locked).trim() == "1");
    stage.on(&["inspect"]).ok();
    assert_eq!(stage.sql(locked).trim(), "1", "inspect waited for the lock to go");
    let plan = stage.on(&["plan"]);
    assert!(plan.ok().out.contains("ADD COLUMN more text"), "{plan}");
    assert_eq!(stage.sql(locked).trim(), "1", "plan waited for the lock to go");
    stage.sql("select pg_cancel_backend(pid) from pg_stat_activity where query ~ '^select pg_sleep' and datname = current_database()");
    other.end();
}
