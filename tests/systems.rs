//! The four systems of `schema/`, from each start state of `tests/systems/` to their declaration and back, through
//! the program itself on real servers.
//!
//! `PGPLUMB_TEST_MAJORS` says on which majors (default: 16 and 18). The plans in `plans/` are made on 16;
//! `PGPLUMB_UPDATE=1` writes those that have changed.

#[path = "support/place.rs"]
mod place;

use pgplumb::compile::server::{find, LocalServer, ROOT_VARIABLE};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The major that the plans in `plans/` were made on.
const REVIEWED_ON: u32 = 16;

/// One start state of a system.
struct State {
    system: &'static str,
    name: &'static str,
    /// What the reviewer of the plan allowed.
    allow: &'static [&'static str],
    /// Columns whose values the plan is meant to change: they are asked about in `reached`.
    converted: &'static [(&'static str, &'static str)],
    /// What else has to hold of the database before the plan is applied, and after.
    start: &'static [Fact],
    reached: &'static [Fact],
    /// Whether the plan has nothing to do.
    done: bool,
}

/// A query and the answer that it must have.
type Fact = (&'static str, &'static str);

const Q2O: &[State] = &[
    State {
        reached: &[
            ("select count(*), count(tenant_id), count(activation_code_id) from llm_project_config", "30|0|0"),
            ("select count(*) from pg_class where relname = 'tenant_sessions'", "1"),
        ],
        ..STATE.of("q2o", "before")
    },
    State { reached: TENANTS_STAY, ..STATE.of("q2o", "columns_without_keys") },
    State { reached: TENANTS_STAY, ..STATE.of("q2o", "one_key_missing") },
    State { reached: TENANTS_STAY, done: true, ..STATE.of("q2o", "done") },
];

/// Twenty projects are from before there were tenants, and stay so.
const TENANTS_STAY: &[Fact] = &[
    ("select count(*), count(tenant_id) from llm_project_config", "30|10"),
    (
        "select conname, confdeltype, convalidated from pg_constraint
         where conrelid = 'llm_project_config'::regclass and contype = 'f' order by 1",
        "fk_project_activation_code|n|t\nfk_project_tenant|c|t",
    ),
];

const ENPYCO: &[State] = &[State {
    converted: &[("projects", "status")],
    reached: &[
        ("select id, name from companies", "00000000-0000-4000-8000-000000000001|Enpyco (Migrated Data)"),
        (
            "select company_id, email, is_active from users",
            "00000000-0000-4000-8000-000000000001|system@enpyco.example|f",
        ),
        ("select count(*), count(distinct company_id) from projects", "40|1"),
        ("select count(*), count(distinct company_id) from memoires", "20|1"),
        (
            "select string_agg(attrelid::regclass::text, ' ' order by attrelid::regclass::text) from pg_attribute
             where attname = 'company_id' and attnotnull and attrelid::regclass::text in ('projects', 'memoires')",
            "memoires projects",
        ),
        (
            "select status, count(*) from projects group by 1 order by 1",
            "draft|15\nrc_uploaded|5\nanalyzing|5\nanalyzed|5\ngenerating|5\napproved|5",
        ),
        ("select count(*) from pg_enum where enumtypid = 'project_status_enum'::regtype", "10"),
        ("select count(*) from pg_type where typtype = 'e'", "5"),
        ("select count(*) from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace", "15"),
    ],
    ..STATE.of("enpyco", "before")
}];

const IAFACTORY: &[State] = &[State {
    allow: &[],
    start: &[("select count(*) from projects where created_at is null", "3")],
    converted: &[("projects", "created_at")],
    reached: &[
        ("select count(*) >= 60 from pg_policies where schemaname = 'public'", "t"),
        (
            "select count(*), bool_and(relrowsecurity), bool_and(relforcerowsecurity) from pg_class
             where relkind = 'r' and relnamespace = 'public'::regnamespace and relname <> 'users'",
            "16|t|t",
        ),
        ("select count(distinct tenant_id), min(tenant_id::text) from projects", "1|00000000-0000-0000-0000-000000000000"),
        ("select count(*) from projects where created_at is null", "0"),
        (
            "select count(*) from projects where id > 3 and created_at = timestamptz '2025-02-01' + id * interval '1 hour'",
            "57",
        ),
    ],
    ..STATE.of("iafactory", "before")
}];

const VITAL: &[State] = &[
    STATE.of("vital", "empty"),
    State {
        reached: &[
            ("select count(*), count(distinct tenant_id), count(*) filter (where is_shared) from workflows", "75|1|0"),
            (
                "select count(*) from pg_class
                 where relkind = 'r' and relnamespace = 'public'::regnamespace and relrowsecurity",
                "9",
            ),
        ],
        ..STATE.of("vital", "half")
    },
];

const STATE: State = State { system: "", name: "", allow: &[], converted: &[], start: &[], reached: &[], done: false };

impl State {
    const fn of(self, system: &'static str, name: &'static str) -> State {
        State { system, name, ..self }
    }
}

#[test]
fn q2o() {
    journeys(Q2O, |_| {});
}

#[test]
fn enpyco() {
    journeys(ENPYCO, |_| {});
}

#[test]
fn iafactory() {
    journeys(IAFACTORY, tenants_see_their_own);
}

#[test]
fn vital() {
    journeys(VITAL, |_| {});
}

/// Every state on every major, each in a database that is called as its system.
fn journeys(states: &[State], and: impl Fn(&Database)) {
    for major in majors() {
        let system = states[0].system;
        let root = root();
        let install = find(Some(major), root.as_deref()).unwrap_or_else(|error| panic!("{error}"));
        if system == "enpyco" && !install.has_extension("vector") {
            println!("{system}: not on PostgreSQL {major}, which has no pgvector here");
            continue;
        }
        let server = LocalServer::start(&install, &place::options(&format!("test {system}")))
            .unwrap_or_else(|error| panic!("{error}"));
        for state in states {
            Database { server: &server, name: system, bin: client_programs(major) }.journey(state, &and);
        }
    }
}

struct Database<'a> {
    server: &'a LocalServer,
    name: &'a str,
    bin: PathBuf,
}

impl Database<'_> {
    /// From the start state to the declaration and back.
    fn journey(&self, state: &State, and: &impl Fn(&Database)) {
        let at = format!("{}/{} on {}", state.system, state.name, self.server.major());
        let work = tempfile::tempdir().expect("a directory");
        let declaration = declaration(state.system, work.path());
        let plan = work.path().join("plan.yaml");
        self.sql_on(
            "postgres",
            &format!("drop database if exists {0}; create database {0} template template0", self.name),
        );
        self.load(&repository().join(format!("tests/systems/{}/{}.sql", state.system, state.name)));
        let (schema, rows, chunks) = (self.schema(), self.rows(state), self.chunks());
        self.facts(state.start, &at);

        let allow: Vec<&str> = state.allow.iter().flat_map(|hazard| ["--allow", *hazard]).collect();
        let planned =
            self.pgplumb("plan", &[&declaration], &[&["--exit-code", "--out", text(&plan)], &allow[..]].concat());
        assert_eq!(planned.status.code(), Some(if state.done { 0 } else { 2 }), "{at}: {}", told(&planned));
        if self.server.major() == REVIEWED_ON {
            as_reviewed(state, &fs::read_to_string(&plan).expect("a plan"));
        }
        self.succeeds(&at, "apply", &[&plan], &["--yes"]);
        self.agrees(&at, &declaration);
        self.kept(&at, &rows, &self.rows(state));
        assert_eq!(chunks, self.chunks(), "{at}: document_chunks is not as it was, to the byte");
        self.facts(state.reached, &at);
        and(self);
        if state.done {
            return;
        }

        self.roll_back(&at, &plan);
        self.kept(&at, &rows, &self.rows(state));
        let back = self.schema();
        assert!(schema == back, "{at}: the way back leads elsewhere:\n{}", difference(&schema, &back));
    }

    /// A second plan is empty and drift finds nothing; on the major of the lock in `schema/`, by that lock alone.
    fn agrees(&self, at: &str, declaration: &Path) {
        let locked: &[&str] = if self.server.major() == REVIEWED_ON { &["--locked"] } else { &[] };
        self.succeeds(at, "plan", &[declaration], &[&["--exit-code"], locked].concat());
        self.succeeds(at, "drift", &[declaration], locked);
    }

    /// The way back, allowing what it asks to be allowed.
    fn roll_back(&self, at: &str, plan: &Path) {
        let refused = self.pgplumb("rollback", &[plan], &["--yes"]);
        let message = String::from_utf8_lossy(&refused.stderr).into_owned();
        let flags: Vec<&str> = message
            .lines()
            .filter_map(|line| line.trim().strip_prefix("--allow '")?.strip_suffix('\''))
            .flat_map(|hazard| ["--allow", hazard])
            .collect();
        if flags.is_empty() {
            assert!(refused.status.success(), "{at}: {message}");
        } else {
            self.succeeds(at, "rollback", &[plan], &[&["--yes"], &flags[..]].concat());
        }
    }

    fn facts(&self, facts: &[Fact], at: &str) {
        for (query, answer) in facts {
            assert_eq!(self.sql(query), *answer, "{at}: {query}");
        }
    }

    /// The digest of each row of each table, of the columns that there are now and that stay as they are.
    fn rows(&self, state: &State) -> Rows {
        let columns = "select c.relname, string_agg(quote_ident(a.attname), ', ' order by a.attname)
            from pg_class c left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace group by 1 order by 1";
        let tables = self.sql(columns);
        let mut rows = Rows::new();
        for (table, columns) in tables.lines().filter_map(|line| line.split_once('|')) {
            let converted = |column: &&str| state.converted.contains(&(table, column));
            let columns: Vec<String> = columns.split(", ").filter(|c| !converted(c)).map(str::to_owned).collect();
            rows.insert(table.to_owned(), Table { rows: self.digests(table, &columns), columns });
        }
        rows
    }

    fn digests(&self, table: &str, columns: &[String]) -> Vec<String> {
        let query = format!("select md5(row({})::text) from {table} order by 1", columns.join(", "));
        self.sql(&query).lines().map(str::to_owned).collect()
    }

    /// No row of before is gone or different in the columns of before.
    fn kept(&self, at: &str, before: &Rows, now: &Rows) {
        for (table, Table { columns, rows }) in before {
            assert!(now.contains_key(table), "{at}: table {table} is gone");
            let mut left = self.digests(table, columns).into_iter().peekable();
            for row in rows {
                while left.next_if(|other| other < row).is_some() {}
                assert_eq!(left.next().as_ref(), Some(row), "{at}: {table} lost a row, or a value in it");
            }
        }
    }

    /// Where PostgreSQL keeps document_chunks and its vector index, and what is in each row at which place.
    fn chunks(&self) -> String {
        let there = "select to_regclass('document_chunks') is not null";
        if self.sql(there) != "t" {
            return String::new();
        }
        self.sql(
            "select relname, pg_relation_filenode(oid) from pg_class
             where relname in ('document_chunks', 'idx_document_chunks_embedding') order by 1;
             select md5(string_agg(ctid || ' ' || xmin || ' ' || d::text, ' ' order by ctid)) from document_chunks d",
        )
    }

    /// What pg_dump says of the schema, the order of columns and pgplumb's own journal aside.
    fn schema(&self) -> String {
        let mut command = self.program("pg_dump");
        let dump = run(command.args(["--schema-only", "--exclude-schema=pgplumb"]).arg(self.url()));
        let mut lines: Vec<&str> = Vec::new();
        let mut columns: Option<usize> = None;
        for line in dump.lines().filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict")) {
            match columns {
                Some(first) if line.starts_with(')') => {
                    lines[first..].sort_unstable();
                    columns = None;
                }
                None if line.starts_with("CREATE TABLE ") => columns = Some(lines.len() + 1),
                _ => {}
            }
            lines.push(if columns.is_some() { line.trim_end_matches(',') } else { line });
        }
        lines.join("\n")
    }

    fn succeeds(&self, at: &str, command: &str, files: &[&Path], arguments: &[&str]) {
        let output = self.pgplumb(command, files, arguments);
        assert!(output.status.success(), "{at}: pgplumb {command} {arguments:?}: {}", told(&output));
    }

    fn pgplumb(&self, command: &str, files: &[&Path], arguments: &[&str]) -> Output {
        let mut program = Command::new(env!("CARGO_BIN_EXE_pgplumb"));
        if let Some(root) = root() {
            program.env(ROOT_VARIABLE, root);
        }
        // Nothing but the arguments counts: no settings of a project, no variables.
        program.current_dir("/tmp").env_remove("DATABASE_URL");
        program.arg(command).args(files).args(arguments).args(["--url", &self.url()]).output().expect("pgplumb runs")
    }

    fn load(&self, script: &Path) {
        run(self.program("psql").args(["-Xq", "-v", "ON_ERROR_STOP=1", "-f"]).arg(script).arg(self.url()));
    }

    fn sql(&self, sql: &str) -> String {
        self.sql_on(self.name, sql)
    }

    fn sql_on(&self, database: &str, sql: &str) -> String {
        let mut psql = self.program("psql");
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1"]);
        for statement in sql.split("; ") {
            psql.args(["-c", statement]);
        }
        run(psql.arg(self.server.url(database))).trim_end().to_owned()
    }

    fn url(&self) -> String {
        self.server.url(self.name)
    }

    fn program(&self, name: &str) -> Command {
        Command::new(self.bin.join(name))
    }
}

type Rows = BTreeMap<String, Table>;

struct Table {
    columns: Vec<String>,
    rows: Vec<String>,
}

/// With two tenants and a role that is neither owner nor superuser, each sees its own rows and nothing else.
fn tenants_see_their_own(database: &Database) {
    let copy = Database { server: database.server, name: "iafactory_two_tenants", bin: database.bin.clone() };
    database.sql_on("postgres", "create database iafactory_two_tenants template iafactory; create role app");
    const SECOND: &str = "11111111-1111-1111-1111-111111111111";
    copy.sql(&format!(
        "grant select, insert, update, delete on all tables in schema public to app; \
         grant usage on all sequences in schema public to app; \
         insert into tenants (id, name, slug, admin_email) values ('{SECOND}', 'Second', 'second', 'a@b.example'); \
         insert into projects (tenant_id, name) select '{SECOND}', 'Theirs ' || n from generate_series(1, 5) n; \
         insert into crm_leads (tenant_id, name) values ('{SECOND}', 'Lead')"
    ));
    let counts = "select (select count(*) from tenants), (select count(*) from projects), \
                  (select count(*) from knowledge_base), (select count(*) from crm_leads)";
    let seen = |tenant: &str| copy.sql(&format!("set role app; select set_tenant('{tenant}'); {counts}"));
    assert_eq!(copy.sql(&format!("set role app; {counts}")), "0|0|0|0", "without a tenant no row is visible");
    assert_eq!(seen("00000000-0000-0000-0000-000000000000").trim(), "1|60|150|0");
    assert_eq!(seen(SECOND).trim(), "1|5|0|1");
    let written = copy.sql(&format!(
        "set role app; select set_tenant('{SECOND}'); \
         with changed as (update projects set name = 'x' returning 1) select count(*) from changed; \
         with gone as (delete from knowledge_base returning 1) select count(*) from gone"
    ));
    assert_eq!(written.trim(), "5\n0", "only the own rows can be changed");
    let foreign = format!(
        "set role app; select set_tenant('{SECOND}'); \
         insert into projects (tenant_id, name) values ('00000000-0000-0000-0000-000000000000', 'x')"
    );
    let mut psql = copy.program("psql");
    let refused =
        psql.args(["-Xq", "-v", "ON_ERROR_STOP=1", "-c", &foreign]).arg(copy.url()).output().expect("psql runs");
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(message.contains("violates row-level security policy"), "{message}");
    let escalation = copy
        .program("psql")
        .args(["-Xq", "-c", "set role app", "-c", "select enable_superadmin_mode()"])
        .arg(copy.url())
        .output();
    let message = String::from_utf8_lossy(&escalation.expect("psql runs").stderr).into_owned();
    assert!(message.contains("permission denied for function"), "{message}");
    database.sql_on("postgres", "drop database iafactory_two_tenants; drop role app");
}

/// The plan is the one in `plans/`, byte for byte, whom it is for aside.
fn as_reviewed(state: &State, plan: &str) {
    let path = repository().join(format!("plans/{}/{}.yaml", state.system, state.name));
    let reviewed = fs::read_to_string(&path).unwrap_or_default();
    let (made, target) = without_target(plan);
    let (kept, known_target) = without_target(&reviewed);
    if made == kept {
        return;
    }
    if std::env::var_os("PGPLUMB_UPDATE").is_some() {
        fs::create_dir_all(path.parent().expect("a directory")).expect("it can be made");
        let plan = if known_target.is_empty() { plan.to_owned() } else { plan.replace(&target, &known_target) };
        fs::write(&path, plan).expect("the plan can be written");
        return;
    }
    let what = difference(&kept, &made);
    panic!("{} is not what the program makes; PGPLUMB_UPDATE=1 writes it anew, for review:\n{what}", path.display());
}

/// A plan file without the block that says whom it is for, and that block.
fn without_target(plan: &str) -> (String, String) {
    let Some(start) = plan.find("\ntarget:\n") else { return (plan.to_owned(), String::new()) };
    let after =
        plan[start + 9..].lines().take_while(|line| line.starts_with(' ')).map(|line| line.len() + 1).sum::<usize>();
    let end = start + 9 + after;
    (format!("{}\n{}", &plan[..start], &plan[end..]), plan[start + 1..end].to_owned())
}

/// The declaration of a system with its lock, where the program may write the lock anew.
fn declaration(system: &str, work: &Path) -> PathBuf {
    let (from, to) = (repository().join("schema").join(system), work.join(system));
    fs::create_dir(&to).expect("a directory");
    for entry in fs::read_dir(from).expect("the declaration").flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
    to
}

fn majors() -> Vec<u32> {
    let majors = std::env::var("PGPLUMB_TEST_MAJORS").unwrap_or_else(|_| "16 18".to_owned());
    majors.split_whitespace().map(|major| major.parse().expect("PGPLUMB_TEST_MAJORS holds majors")).collect()
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where the servers' binaries are, unless the environment says it.
fn root() -> Option<PathBuf> {
    let own = repository().join(".deps/pg");
    (std::env::var_os(ROOT_VARIABLE).is_none() && own.is_dir()).then_some(own)
}

/// psql and pg_dump of the major, or else of the next one that has them.
fn client_programs(major: u32) -> PathBuf {
    let with_clients = (major..=18).filter_map(|major| find(Some(major), root().as_deref()).ok());
    let mut bins = with_clients.map(|install| install.bin).filter(|bin| bin.join("pg_dump").exists());
    bins.next().expect("psql and pg_dump: run tools/setup")
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", told(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn difference(left: &str, right: &str) -> String {
    similar::TextDiff::from_lines(left, right).unified_diff().context_radius(3).to_string()
}
