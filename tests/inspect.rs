//! P1, fidelity: what `inspect` writes of a database is read back to the same things, and an empty database
//! that is brought to it dumps as the first one does.

mod support;

use pgplumb::compile::surroundings::Stubs;
use pgplumb::compile::{self, lock::Lock, Place, Scratch};
use pgplumb::declare::json_schema;
use pgplumb::declare::write::File;
use pgplumb::engine;
use pgplumb::inspect;
use pgplumb::model::Model;
use std::collections::BTreeSet;
use std::path::Path;
use support::database::{allowed, Database};
use support::server::{majors, Server};

const HOSTILE: &str = include_str!("inspect/hostile.sql");

/// A test on a database with everything in it, on each major.
fn on_each_major(test: impl AsyncFn(&Server, &Database<'_>)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for major in majors() {
        let server = Server::start(major);
        let database = server.database();
        database.psql(HOSTILE).unwrap_or_else(|error| panic!("{error}"));
        runtime.block_on(test(&server, &database));
    }
}

/// Writes a declaration and its lock, which can be compiled without the database.
async fn adopt(database: &Database<'_>, read: inspect::Inspection, directory: &Path, files: &[File]) {
    let session = engine::open(&database.target()).await.expect("a session");
    let lacking = read.adopt(&session, directory, files, false).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(lacking.is_none(), "{lacking:?}");
}

async fn inspected(database: &Database<'_>) -> inspect::Inspection {
    let session = engine::open(&database.target()).await.expect("a session");
    inspect::read(&session, &[]).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Writes the declaration of a database as one file or as many.
async fn declared(database: &Database<'_>, directory: &Path, files: bool) {
    let document = inspected(database).await.document(false);
    if files {
        inspect::store(directory, &document.files(), false).unwrap_or_else(|error| panic!("{error}"));
    } else {
        std::fs::write(directory.join("all.yaml"), document.text()).expect("a file");
    }
}

fn addresses(model: &Model) -> Vec<String> {
    model.nodes().iter().map(|n| n.address.path()).collect()
}

#[test]
fn what_is_written_reads_back_and_compiles_to_the_same() {
    on_each_major(async |server, database| {
        for files in [false, true] {
            let directory = tempfile::tempdir().expect("a directory");
            declared(database, directory.path(), files).await;
            let reading = compile::read(directory.path(), None, &BTreeSet::new());
            let mut reading = reading.unwrap_or_else(|error| panic!("{error}"));
            let increments = reading.increments(None, &[server.major], &Stubs::default(), false);
            let all = increments.expect("a lock").remove(&server.major).expect("all of it");
            let place = Place::Server(Box::new(server.target("postgres")));
            let mut scratch = Scratch::open(&place, server.major, &[], &|_| None).await.expect("scratch");
            let compiled = compile::compile(&reading.declaration, all, &mut scratch, &|_| {}).await;
            let compiled = compiled.unwrap_or_else(|error| panic!("{error}")).expect("nothing to clash with");
            let compiled = Model::new(compiled.into_iter().map(|locked| locked.node).collect());
            scratch.close().await.expect("closed");
            let live = inspected(database).await.model;
            assert_eq!(addresses(&compiled), addresses(&live));
            for (ours, theirs) in compiled.nodes().iter().zip(live.nodes()) {
                let printed = |text: &str| {
                    ours.prints.iter().any(|(old, _)| serde_json::to_string(old).is_ok_and(|old| text.contains(&old)))
                };
                assert!(
                    ours.spec == theirs.spec || printed(theirs.spec.as_json()),
                    "{}\n{:?}\n{:?}",
                    ours.address,
                    ours.spec,
                    theirs.spec
                );
                let expected = pgplumb::declare::write::as_declared(theirs.clone(), server.major.max(17));
                assert_eq!(
                    (&ours.owner, &ours.comment, &ours.grants),
                    (&expected.owner, &expected.comment, &expected.grants),
                    "{}",
                    ours.address
                );
            }
        }
    });
}

#[test]
fn an_empty_database_brought_to_it_dumps_the_same() {
    on_each_major(async |server, database| {
        let directory = tempfile::tempdir().expect("a directory");
        declared(database, directory.path(), true).await;
        let copy = server.database();
        let compared = copy.plan(directory.path()).await.unwrap_or_else(|error| panic!("{error}"));
        copy.apply(&allowed(compared.plan)).await.unwrap_or_else(|error| panic!("{error}"));
        // Prints change when they are fed back: the measure is what pg_dump's own way leads to.
        let restored = server.database();
        restored.psql(&server.pg_dump(&database.name).expect("a dump")).unwrap_or_else(|error| panic!("{error}"));
        let wanted = restored.dump().unwrap_or_else(|error| panic!("{error}"));
        let found = copy.dump().unwrap_or_else(|error| panic!("{error}"));
        let difference = wanted.diff(&found);
        assert!(difference.is_empty(), "PostgreSQL {}:\n{difference}", server.major);
    });
}

#[test]
fn an_adopted_database_agrees_with_its_lock() {
    on_each_major(async |_, database| {
        let directory = tempfile::tempdir().expect("a directory");
        let read = inspected(database).await;
        let files = read.document(false).files();
        adopt(database, read, directory.path(), &files).await;
        assert!(inspect::store(directory.path(), &files, false).is_err(), "nothing is written over");
        let lock = directory.path().join("schema.lock");
        let text = std::fs::read_to_string(&lock).expect("a lock");
        assert!(Lock::read(&lock).is_ok_and(|lock| lock.is_some()));
        let compared = database.plan(directory.path()).await.unwrap_or_else(|error| panic!("{error}"));
        let steps: Vec<String> = compared.plan.steps().map(|s| format!("{} {}", s.verb, s.address)).collect();
        assert!(compared.plan.is_empty(), "{steps:?}");
        assert_eq!(std::fs::read_to_string(&lock).expect("the lock"), text, "the lock was fresh");
        // Whatever file is touched, nothing of what stands in the others is lost.
        for File { path, text: written, .. } in files.iter().filter(|file| file.path.ends_with(".yaml")) {
            compile::lock::store(&lock, &text).expect("a lock");
            let path = directory.path().join(path);
            std::fs::write(&path, format!("{written}# touched\n")).expect("a file");
            let compared = database.compare(directory.path()).await.unwrap_or_else(|error| panic!("{error}"));
            let steps: Vec<String> = compared.plan.steps().map(|s| format!("{} {}", s.verb, s.address)).collect();
            assert!(compared.plan.is_empty(), "{}: {steps:?}", path.display());
            std::fs::write(&path, written).expect("a file");
        }
    });
}

#[test]
fn what_cannot_be_held_is_said() {
    on_each_major(async |_, database| {
        database
            .psql(
                "create table parted (id int) partition by list (id); create type pair as (a int, b int);
                 create type brought as (a int); alter extension plpgsql add type brought",
            )
            .expect("made");
        let read = inspected(database).await;
        assert!(read.notes.iter().any(|n| n == "table public.parted"), "{:?}", read.notes);
        let text = read.document(false).text();
        assert!(!text.contains("brought"), "{text}");
        assert!(
            text.contains("\n#   table public.parted\n") && text.contains("#   composite type public.pair\n"),
            "{text}"
        );
    });
}

/// What is made, and how it is listed.
const NOT_HELD: [(&str, &str); 13] = [
    ("create aggregate total_of(integer) (sfunc = int4pl, stype = integer)", "function public.total_of(integer)"),
    ("create collation app.steady from \"C\"", "collation app.steady"),
    ("create statistics people_stats on id, name from people", "statistics object public.people_stats"),
    ("create rule nothing as on delete to target do also nothing", "rule nothing on table public.target"),
    ("cluster people using people_pkey", "clustering of public.people on index public.people_pkey"),
    (
        "create function notice_all() returns event_trigger language plpgsql as 'begin end';
         create event trigger noticed on ddl_command_end execute function notice_all()",
        "event trigger noticed",
    ),
    ("create publication one_table for table target", "publication one_table"),
    ("create publication all_of_them for all tables", "publication all_of_them"),
    (
        "create function to_mood(integer) returns mood language sql as $$ select 'sad'::public.mood $$;
         create cast (integer as mood) with function to_mood(integer)",
        "cast from integer to public.mood",
    ),
    (
        "alter default privileges grant select on tables to reader",
        "default privileges on new relations belonging to role postgres",
    ),
    (
        "alter default privileges in schema app grant select on tables to reader",
        "default privileges on new relations belonging to role postgres in schema app",
    ),
    (
        "alter function empty_body() depends on extension plpgsql",
        "dependence of function public.empty_body() on extension plpgsql",
    ),
    ("create table parted (id int) partition by list (id)", "table public.parted"),
];

#[test]
fn what_no_kind_describes_is_listed() {
    on_each_major(async |server, database| {
        let listed = async || -> BTreeSet<String> { inspected(database).await.notes.into_iter().collect() };
        let mut before = listed().await;
        let of_schemas = ("create publication of_schema for tables in schema app", "publication of_schema");
        for (sql, words) in NOT_HELD.into_iter().chain((server.major >= 15).then_some(of_schemas)) {
            database.psql(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
            let now = listed().await;
            let new: Vec<&String> = now.difference(&before).collect();
            assert_eq!(new, [words], "{sql} on {}", server.major);
            before = now;
        }
    });
}

/// What is not modelled is left alone by name, and so can be referred to: its outline is copied from the database.
#[test]
fn what_cannot_be_held_can_be_referred_to() {
    on_each_major(async |_, database| {
        database
            .psql(
                "create table parted (id int, at date) partition by range (at); create type pair as (a int, b int);
                 create type span as range (subtype = date);
                 create table base (id int primary key, note text); create table kid () inherits (base);
                 create table holders (id int primary key, p pair, ps pair[] default '{}', base int references base, check ((p).a > 0));
                 create view over_both as select p.id, b.note from parted p join base b using (id);
                 create function first_of(p pair) returns int language sql immutable as 'select (p).a';",
            )
            .expect("made");
        let directory = tempfile::tempdir().expect("a directory");
        let read = inspected(database).await;
        let ignored: Vec<&str> = read.ignore.iter().map(String::as_str).collect();
        for name in ["public.parted", "public.pair", "public.base", "public.kid", "public.span"] {
            assert!(ignored.contains(&name), "{ignored:?}");
        }
        inspect::store(directory.path(), &read.document(false).files(), false)
            .unwrap_or_else(|error| panic!("{error}"));
        // Without a lock all is compiled.
        let compared = database.plan(directory.path()).await.unwrap_or_else(|error| panic!("{error}"));
        let steps: Vec<String> = compared.plan.steps().map(|s| format!("{} {}", s.verb, s.address)).collect();
        assert!(compared.plan.is_empty(), "{steps:?}");
    });
}

/// What is not modelled may be of an enum that is, and what is modelled may rest on that.
#[test]
fn what_cannot_be_held_may_be_of_a_declared_enum() {
    on_each_major(async |_, database| {
        database
            .psql(
                "create schema lib; create type lib.state as enum ('a', 'b');
                 create table log (id int, s lib.state, primary key (id, s)) partition by list (s);
                 create type pair as (s lib.state, n int);
                 create view states as select s from log where s <> 'b';
                 create materialized view counted as select s, count(*) as n from log group by s;
                 create table holders (id int primary key, p pair, log int, s lib.state, check ((p).s <> 'b'),
                                       foreign key (log, s) references log);",
            )
            .expect("made");
        let directory = tempfile::tempdir().expect("a directory");
        let files = inspected(database).await.document(false).files();
        inspect::store(directory.path(), &files, false).unwrap_or_else(|error| panic!("{error}"));
        let steps = async || {
            let compared = database.plan(directory.path()).await.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(compared.plan.why_not_rehearsed(), None);
            compared.plan.steps().map(|s| format!("{} {}", s.verb, s.address)).collect::<Vec<_>>()
        };
        // Without a lock all is compiled; with one, what is in the file that was touched.
        assert_eq!(steps().await, [""; 0]);
        for File { path, text, .. } in files.iter().filter(|file| file.path.ends_with(".yaml")) {
            std::fs::write(directory.path().join(path), format!("{text}# touched\n")).expect("a file");
            assert_eq!(steps().await, [""; 0], "{path}");
        }
        let edit = |path: &str, from: &str, to: &str| {
            let path = directory.path().join(path);
            let text = std::fs::read_to_string(&path).expect("a file");
            assert!(text.contains(from), "{text}");
            std::fs::write(path, text.replace(from, to)).expect("a file");
        };
        edit("tables/holders.yaml", "p: public.pair", "more: lib.state\n      p: public.pair");
        assert_eq!(steps().await, ["create column public.holders.more"]);
        let enums = files.iter().find(|file| file.text.contains("lib.state: [a, b]")).expect("the enum");
        edit(&enums.path, "lib.state: [a, b]", "lib.state: [a, b, c]");
        assert_eq!(steps().await, ["alter enum lib.state", "create column public.holders.more"]);
    });
}

/// What no kind describes has a stand-in wherever it is referred to, also from the lock alone.
#[test]
fn what_no_kind_describes_can_be_referred_to() {
    on_each_major(async |_, database| {
        database
            .psql(
                "create schema other; create table ci (id int primary key);
                 create collation ci (provider = libc, locale = 'C'); create collation other.posix (provider = libc, locale = 'POSIX');
                 create text search configuration unstemmed (copy = simple);
                 create function join_two(text, text) returns text language sql immutable as 'select $1 || $2';
                 create aggregate run_together(text) (sfunc = join_two, stype = text, initcond = '');
                 create function keep(anyelement, anyelement) returns anyelement language sql immutable as 'select $1';
                         create aggregate first_of(anyelement) (sfunc = keep, stype = anyelement);
                         create function same(int, int) returns boolean language sql immutable as 'select $1 = $2';
                         create operator === (leftarg = int, rightarg = int, function = same);
                         create operator **= (leftarg = int, rightarg = int, function = same);
                         create type span as range (subtype = date);
                         create table texts (id int primary key check (id === id), name text collate other.posix, body text, during span);
                         create index on texts using gin (to_tsvector('unstemmed', body));
                         create index on texts (name collate other.posix desc);
                         create text search configuration whole (copy = simple); create table words (body text);
                         create function whole_words(text) returns tsvector language sql immutable as $$ select to_tsvector('public.whole', $1) $$;
                         create index on words using gin (whole_words(body));
                         create view sums as select run_together(name) as names, first_of(id) as one, first_of(during) as s from texts;",
            )
            .expect("made");
        let directory = tempfile::tempdir().expect("a directory");
        let read = inspected(database).await;
        for name in ["public.unstemmed", "public.run_together", "public.===", "public.span", "other.posix"] {
            assert!(read.ignore.iter().any(|ignored| ignored == name), "{name}: {:?}", read.ignore);
        }
        assert!(!read.ignore.iter().any(|name| name == "public.ci"), "a table has that name: {:?}", read.ignore);
        let files = read.document(false).files();
        inspect::store(directory.path(), &files, false).unwrap_or_else(|error| panic!("{error}"));
        // Without a lock all is compiled.
        let compared = database.plan(directory.path()).await.unwrap_or_else(|error| panic!("{error}"));
        let steps: Vec<String> = compared.plan.steps().map(|s| format!("{} {}", s.verb, s.address)).collect();
        assert!(compared.plan.is_empty(), "{steps:?}");
        // A change that a stand-in stands beneath is rehearsed.
        let path = directory.path().join("tables/texts.yaml");
        let text = std::fs::read_to_string(&path).expect("the table");
        std::fs::write(
            &path,
            text.replace("name: {", "more: text\n      name: {").replace("body: text", "body: varchar(9)"),
        )
        .expect("a file");
        let compared = database.plan(directory.path()).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(!compared.plan.is_empty());
        assert_eq!(compared.plan.why_not_rehearsed(), None);
    });
}

/// A name that PostgreSQL derived for NOT NULL is no difference, whatever was created first and took it.
#[test]
fn a_derived_name_that_another_table_has_is_no_difference() {
    on_each_major(async |_, database| {
        database
            .psql("create table item (id int not null, n int not null); create table copy (like item including all);")
            .expect("made");
        let directory = tempfile::tempdir().expect("a directory");
        let read = inspected(database).await;
        inspect::store(directory.path(), &read.document(false).files(), false)
            .unwrap_or_else(|error| panic!("{error}"));
        let compared = database.plan(directory.path()).await.unwrap_or_else(|error| panic!("{error}"));
        let steps: Vec<String> = compared.plan.steps().map(|s| format!("{} {}", s.verb, s.address)).collect();
        assert!(compared.plan.is_empty(), "{steps:?}");
    });
}

/// An index that CONCURRENTLY left invalid is adopted as what it was meant to be, and said; a plan builds it.
#[test]
fn an_invalid_index_is_not_adopted_as_a_valid_one() {
    on_each_major(async |_, database| {
        database.psql("create table broken (n int); insert into broken values (1), (1)").expect("made");
        assert!(database.psql("create unique index concurrently broken_n on broken (n)").is_err());
        database.psql("delete from broken").expect("emptied");
        let directory = tempfile::tempdir().expect("a directory");
        let read = inspected(database).await;
        let said = "index public.broken.broken_n: it is invalid";
        assert!(read.notes.iter().any(|note| note.starts_with(said)), "{:?}", read.notes);
        let files = read.document(false).files();
        adopt(database, read, directory.path(), &files).await;
        let compared = database.plan(directory.path()).await.unwrap_or_else(|error| panic!("{error}"));
        let steps: Vec<String> = compared.plan.steps().map(|s| format!("{} {}", s.verb, s.address)).collect();
        assert!(steps.iter().all(|step| step.ends_with("index public.broken.broken_n")), "{steps:?}");
        assert!(!steps.is_empty());
    });
}

/// The JSON Schema takes what the reader takes.
#[test]
fn declarations_fit_the_json_schema() {
    let schema = json_schema();
    let validator = jsonschema::validator_for(&schema).expect("a JSON Schema");
    let value = |text: &str| serde_yaml::from_str::<serde_json::Value>(text).expect("YAML");
    let assert_fits = |name: &str, text: &str| {
        let value = value(text);
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {}", errors.join("\n"));
    };
    let others = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/external");
    for case in std::fs::read_dir(others).expect("the cases").flatten().map(|e| e.path()) {
        let [declared, external] =
            ["schema.yaml", "external.yaml"].map(|name| std::fs::read_to_string(case.join(name)).unwrap_or_default());
        assert_fits(&case.display().to_string(), &format!("{declared}{external}"));
    }
    for wrong in ["external: { tabels: {} }", "external: { tables: { b.t: { nosuch: 1 } } }", "external: { owner: x }"]
    {
        assert!(!validator.is_valid(&value(wrong)), "{wrong}");
    }
    let systems = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    let mut count = 0;
    for system in std::fs::read_dir(systems).expect("the systems").flatten() {
        for file in std::fs::read_dir(system.path()).expect("a system").flatten().map(|e| e.path()) {
            if file.extension().is_some_and(|e| e == "yaml") {
                assert_fits(&file.display().to_string(), &std::fs::read_to_string(&file).expect("a file"));
                count += 1;
            }
        }
    }
    assert!(count >= 4);
    let misspelt = [
        "pgplum: 1",
        "tables: {t: {colums: {id: int}}}",
        "tables: {t: {columns: {id: {typ: int}}}}",
        "tables: {t: {rls: enable}}",
        "functions: {f(): {langage: sql}}",
        "templates: {t: {indices: {}}}",
        "enums: {e: {valeus: [a]}}",
    ];
    for text in misspelt {
        assert!(!validator.is_valid(&value(text)), "{text}");
    }
    on_each_major(async |_, database| {
        for file in inspected(database).await.document(false).files() {
            assert_fits(&file.path, &file.text);
        }
    });
}
