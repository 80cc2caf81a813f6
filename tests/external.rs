//! What a declaration refers to and does not own: it compiles to the same thing whether it is copied from a target,
//! kept in the lock, or declared under `external`; without any of these, that is a mistake at its place.
//!
//! The cases are those of `tests/cases/external` that hold `external.yaml`, the block that declares what
//! `surroundings.sql` makes. `stubs.txt` lists what is copied: no more than what is referred to.
//! `PGPLUMB_UPDATE=1` writes it anew.

mod support;

use pgplumb::compile::lock::{path_of, Lock};
use pgplumb::compile::Place;
use pgplumb::engine::{self, Choices};
use pgplumb::model::Model;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use support::database::Database;
use support::server::{majors, Server};
use support::stage::Stage;

struct Case {
    name: String,
    directory: PathBuf,
    external: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Expect {
    majors: Vec<u32>,
    needs: Vec<String>,
}

impl Case {
    fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/external");
        let mut directories: Vec<PathBuf> =
            std::fs::read_dir(root).expect("the cases").map(|entry| entry.expect("an entry").path()).collect();
        directories.sort();
        let case = |directory: PathBuf| {
            let external = std::fs::read_to_string(directory.join("external.yaml")).ok()?;
            let name = directory.file_name()?.to_string_lossy().into_owned();
            Some(Self { name, directory, external })
        };
        directories.into_iter().filter_map(case).collect()
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.join(name)).unwrap_or_default()
    }

    fn is_for(&self, server: &Server) -> bool {
        let expect: Expect = serde_yaml::from_str(&self.file("expect.yaml")).expect("expect.yaml");
        (expect.majors.is_empty() || expect.majors.contains(&server.major))
            && expect.needs.iter().all(|name| server.has_extension(name))
    }
}

/// A declaration that is compiled again and again.
struct Compiler<'a> {
    path: PathBuf,
    database: &'a Database<'a>,
}

impl Compiler<'_> {
    async fn compile(&self, scratch: Place, with_target: bool) -> Result<Model, String> {
        let target = self.database.target();
        let choices = Choices {
            declaration: self.path.clone(),
            scratch,
            target: with_target.then_some(&target),
            locked: false,
            env: &|_| None,
            progress: &|_| {},
        };
        let compiled = engine::compile(&choices, &[self.database.server.major], true).await;
        compiled.map(|desired| desired.model).map_err(|error| error.to_string())
    }

    fn declare(&self, yaml: &str) {
        std::fs::write(&self.path, yaml).expect("it can be written");
    }

    fn forget(&self) {
        std::fs::remove_file(path_of(&self.path)).expect("a lock");
    }

    /// The things in the lock that others own, without what stands below them.
    fn stubs(&self) -> String {
        let lock = Lock::read(&path_of(&self.path)).expect("a lock").expect("a lock");
        let stubs = serde_json::to_value(&lock.header.settings.stubs).expect("JSON");
        let paths = stubs.as_array().into_iter().flatten().filter_map(|entry| entry[0].as_str());
        paths.filter(|path| path.matches('/').count() < 2).map(|path| format!("{path}\n")).collect()
    }
}

/// What is compared: all but what depends on where something was written.
fn words(model: &Model) -> Vec<String> {
    let line = |n: &pgplumb::model::Node| {
        let needs: Vec<String> = n.needs.iter().map(|need| need.path()).collect();
        format!("{} {} {:?} {:?} {:?}", n.address.path(), n.spec.as_json(), needs, n.hints, n.order)
    };
    model.nodes().iter().map(line).collect()
}

#[track_caller]
fn same(case: &Case, what: &str, found: Result<Model, String>, wanted: &[String]) {
    match found {
        Ok(model) => assert_eq!(words(&model), wanted, "{}: {what}", case.name),
        Err(why) => panic!("{}: {what}: {why}", case.name),
    }
}

async fn run(server: &Server, case: &Case) {
    let database = server.database();
    database.psql(&case.file("surroundings.sql")).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let before = database.dump().expect("a dump");
    let directory = tempfile::tempdir().expect("a directory");
    let compiler = Compiler { path: directory.path().join("schema.yaml"), database: &database };
    let yaml = case.file("schema.yaml");
    compiler.declare(&yaml);

    let shared = || Place::Server(Box::new(server.target("postgres")));
    let refused = compiler.compile(shared(), false).await.expect_err("nothing is known of what others own");
    assert!(refused.contains("schema.yaml:"), "{}: {refused}", case.name);

    let copied = compiler.compile(Place::local(None), true).await;
    let wanted = words(&copied.unwrap_or_else(|error| panic!("{}: {error}", case.name)));
    let stubs = compiler.stubs();
    let golden = case.directory.join("stubs.txt");
    if std::env::var_os("PGPLUMB_UPDATE").is_some() {
        std::fs::write(&golden, &stubs).expect("it can be written");
    }
    assert_eq!(stubs, std::fs::read_to_string(&golden).unwrap_or_default(), "{}: what is copied", case.name);

    // The lock keeps what was copied, when the declaration has changed and no target is there.
    compiler.declare(&format!("{yaml}# changed\n"));
    // On a shared server, as a superuser, it is the same as on one of our own.
    same(case, "kept in the lock", compiler.compile(shared(), false).await, &wanted);
    assert_eq!(compiler.stubs(), stubs, "{}", case.name);

    compiler.forget();
    compiler.declare(&format!("{yaml}{}", case.external));
    same(case, "declared", compiler.compile(Place::local(None), false).await, &wanted);
    assert_eq!(compiler.stubs(), "", "{}", case.name);
    same(case, "declared, with a target", compiler.compile(shared(), true).await, &wanted);
    assert_eq!(compiler.stubs(), "", "{}: what is declared is not copied", case.name);
    assert_eq!(database.dump().expect("a dump"), before, "{}: compiling changed the target", case.name);
}

#[test]
fn copied_kept_or_declared_is_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let cases = Case::all();
    assert!(cases.len() > 5);
    for major in majors() {
        let server = Server::start(major);
        for case in cases.iter().filter(|case| case.is_for(&server)) {
            runtime.block_on(run(&server, case));
        }
    }
}

const BILLING: &str = "create schema billing; create table billing.accounts (id bigint primary key, name text);
    create function billing.rate(a int) returns int language sql immutable as 'select 1';";

#[test]
fn what_nobody_knows_is_a_mistake_at_its_place() {
    let stage = Stage::with(
        BILLING,
        "tables:\n  t:\n    columns:\n      id: int primary key default billing.rate(1)\n      \
         a: bigint references billing.account (id)\n    indexes:\n      t_i: id other.int_ops\n\
         views:\n  v:\n    query: select * from billing.accounts\n",
    );
    let known = "declare it under `external`, or name a database that has it with --url";
    stage.run(&["check"]).ok();
    stage.run(&["compile"]).refused(&[
        "all.yaml:5:35: function `billing.rate` is not declared here, and nothing is known of it",
        "all.yaml:6:28: table or view `billing.account` is not declared here",
        "all.yaml:8:12: operator, operator class or collation `other.int_ops`",
        "all.yaml:11:26: table or view `billing.accounts`",
        known,
    ]);
    // The database has some of it.
    let ran = stage.on(&["compile"]);
    ran.refused(&[
        "all.yaml:6:28: there is no table or view `billing.account` in the database",
        "all.yaml:8:12: there is no operator, operator class or collation `other.int_ops` in the database",
    ]);
    assert!(!ran.err.contains("rate"), "{ran}");
    // A name that is nearly right is found among what is declared.
    stage.declare(
        "tables:\n  t:\n    columns:\n      a: bigint references billing.account (id)\n\
         external:\n  tables:\n    billing.accounts: { columns: { id: bigint primary key } }\n",
    );
    stage.run(&["compile"]).refused(&["all.yaml:5:28", "did you mean `billing.accounts`?"]);
}

#[test]
fn mistakes_under_external_are_found_where_they_stand() {
    let cases = [
        ("external: [billing]\n", "all.yaml:2:11: `external` is a map with keys such as `tables`"),
        ("external:\n  tabels: {}\n", "all.yaml:3:3: unknown key `tabels`"),
        ("external:\n  templates: {}\n", "all.yaml:3:3: unknown key `templates`"),
        ("external:\n  schemas: [public]\n", "all.yaml:3:12: schema public is owned and external"),
        (
            "external:\n  tables:\n    t: { columns: { a: int } }\n",
            "table public.t is in a schema that this declaration owns",
        ),
        ("external:\n  tables:\n    b.t: { columns: { a: int }, nosuch: 1 }\n", "all.yaml:4:33: unknown key `nosuch`"),
        ("external:\n  tables:\n    b.t: { columns: { a: int }, primary_key: [x] }\n", "table b.t has no column `x`"),
        ("external:\n  functions:\n    b.f(): { returns: int, body: select 1 }\n", "has no `language`"),
        ("tables:\n  b.t: { columns: { a: int } }\n", "or put the thing under `external`"),
    ];
    for (yaml, message) in cases {
        let stage = Stage::with("", yaml);
        stage.run(&["check"]).refused(&[message]);
    }
    let cases = [
        (
            "tables:\n    b.t: { columns: { a: nosuch } }\n",
            "all.yaml:4:26: column b.t.a: type \"nosuch\" does not exist",
        ),
        (
            "functions:\n    b.f(): { stable: true }\n",
            "all.yaml:4:5: function b.f(): function result type must be specified",
        ),
        ("extensions: { nosuch: { schema: b } }\n", "extension nosuch is not installed"),
    ];
    for (yaml, message) in cases {
        let stage = Stage::with("", &format!("external:\n  {yaml}"));
        stage.run(&["compile"]).refused(&[message]);
    }
}

#[test]
fn an_adopted_schema_compiles_without_the_others() {
    let stage = Stage::with(
        &format!(
            "{BILLING} create schema app; create table app.t (id int primary key, a bigint references billing.accounts,
             check (billing.rate(id) > 0)); create view app.v as select * from billing.accounts;"
        ),
        "",
    );
    std::fs::remove_dir_all(stage.path("schema")).expect("a directory");
    stage.on(&["init", "--schema", "app", "--force"]).ok();
    stage.file("pgplumb.yaml", &format!("scratch: '{}'\n", stage.scratch()));
    let extra = stage.file("schema/extra.yaml", "views:\n  w:\n    query: select name from billing.accounts\n");
    stage.run(&["compile"]).ok();
    std::fs::remove_file(extra).expect("the file");
    stage.agrees();
    let plan = stage.on(&["drift"]);
    assert_eq!(plan.status, Some(0), "{plan}");
}

#[test]
fn what_was_others_may_become_ones_own() {
    let stage =
        Stage::with(BILLING, "tables:\n  t:\n    columns: { id: bigint primary key references billing.accounts }\n");
    stage.on(&["compile"]).ok();
    stage.declare(
        "schemas: [public, billing]\ntables:\n  t:\n    columns: { id: bigint primary key references billing.accounts }\n  \
         billing.accounts:\n    columns: { id: bigint primary key, name: text, more: int }\n",
    );
    // The lock still holds what was copied.
    stage.run(&["compile"]).ok();
    let plan = stage.on(&["plan"]);
    assert!(plan.ok().out.contains("ADD COLUMN more"), "{plan}");
}

#[test]
fn roles_are_made_in_scratch_and_asked_for_on_the_target() {
    let stage = Stage::with(
        "create table t (id int primary key); alter table t enable row level security;",
        "tables:\n  t:\n    columns: { id: int primary key }\n    rls: enabled\n    policies:\n      \
         p: { to: [nobody_knows_this_role], using: 'true' }\n    grants: { nor_this_one: [select] }\n",
    );
    let (_, ran) = stage.plan(&["--scratch", "local"]);
    ran.ok();
    for role in ["nobody_knows_this_role", "nor_this_one"] {
        let words = format!("names role {role}, which does not exist");
        assert!(ran.out.contains(&words), "{words}: {ran}");
    }
    assert_eq!(stage.sql("select count(*) from pg_roles where rolname ~ 'this'"), "0");
}

#[test]
fn others_things_are_out_of_reach_of_plans() {
    let stage = Stage::with(
        &format!("{BILLING} create table t (id int primary key, a bigint references billing.accounts);"),
        "tables: {}\nexternal:\n  tables:\n    billing.accounts:\n      columns: { id: bigint primary key, other: int }\n      \
         grants: { public: [select] }\n      owner: nobody_here\n      comment: Not ours.\n  functions:\n    billing.gone(): { returns: int }\n",
    );
    let before = stage
        .sql("select relacl, obj_description('billing.accounts'::regclass) from pg_class where relname = 'accounts'");
    let plan = stage.planned(&["--allow", "data_loss:table public.t"]);
    let text = std::fs::read_to_string(&plan).expect("the plan");
    assert!(!text.contains("schema billing") && !text.contains("other"), "{text}");
    stage.apply(&plan).ok();
    stage.agrees();
    assert_eq!(
        stage.sql("select count(*) from pg_attribute where attrelid = 'billing.accounts'::regclass and attnum > 0"),
        "2"
    );
    let after = stage
        .sql("select relacl, obj_description('billing.accounts'::regclass) from pg_class where relname = 'accounts'");
    assert_eq!(before, after);
}
