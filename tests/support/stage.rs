//! A stage for tests of the whole program: one server per test binary, a database and a declaration per
//! test, and the program run as people run it.

use super::place;
use pgplumb::compile::server::{find, stop_all, LocalServer};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The server of this test binary. It ends with the process.
pub fn server() -> &'static LocalServer {
    static SERVER: OnceLock<LocalServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        extern "C" fn at_exit() {
            stop_all();
        }
        let install = find(None, None).unwrap_or_else(|error| panic!("{error}"));
        let server = LocalServer::start(&install, &place::options("test")).unwrap_or_else(|error| panic!("{error}"));
        // SAFETY: the function takes nothing, returns nothing and does not unwind.
        unsafe { libc::atexit(at_exit) };
        server
    })
}

/// A database of its own, a directory of its own, and a declaration in it.
pub struct Stage {
    pub database: String,
    pub directory: tempfile::TempDir,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Stage {
    /// An empty database beside an empty declaration.
    pub fn new() -> Self {
        let database = format!("stage_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        psql_as("postgres", "postgres", &format!("create database {database} template template0"));
        let directory = tempfile::tempdir().expect("a directory");
        let stage = Self { database, directory };
        stage.file("pgplumb.yaml", &format!("scratch: '{}'\n", server().url("postgres")));
        stage
    }

    /// With what `sql` makes in the database and `yaml` declares.
    pub fn with(sql: &str, yaml: &str) -> Self {
        let stage = Self::new();
        stage.sql(sql);
        stage.declare(yaml);
        stage
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(&path, text).expect("the file can be written");
        path
    }

    /// Writes the declaration, `pgplumb: 1` included.
    pub fn declare(&self, yaml: &str) {
        self.file("schema/all.yaml", &format!("pgplumb: 1\n{yaml}"));
    }

    pub fn url(&self) -> String {
        server().url(&self.database)
    }

    /// The database as another role.
    pub fn url_as(&self, role: &str) -> String {
        self.url().replace("user=postgres", &format!("user={role}"))
    }

    /// Runs SQL as the superuser; rows come as `a|b` lines.
    pub fn sql(&self, sql: &str) -> String {
        psql_as("postgres", &self.database, sql)
    }

    /// Runs SQL in the database `postgres`.
    pub fn sql_in_postgres(&self, sql: &str) -> String {
        psql_as("postgres", "postgres", sql)
    }

    /// The URL of the place for scratch databases.
    pub fn scratch(&self) -> String {
        server().url("postgres")
    }

    /// What `pg_dump -s` says of the database, without the journal and without what differs each time.
    pub fn dump(&self) -> String {
        let own = server().install().bin.join("pg_dump");
        let mut command = Command::new(if own.exists() { own } else { "pg_dump".into() });
        let output = command.args(["-s", "-N", "pgplumb", "-d"]).arg(self.url()).output().expect("pg_dump runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.lines().filter(|line| !line.starts_with("\\")).collect::<Vec<_>>().join("\n")
    }

    pub fn sql_as(&self, role: &str, sql: &str) -> String {
        psql_as(role, &self.database, sql)
    }

    /// A psql session in the background, to be fed through its standard input.
    pub fn session(&self) -> Background {
        let mut command = psql("postgres", &self.database);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Background(command.spawn().expect("psql starts"))
    }

    /// The program with arguments, in the stage's directory.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgplumb"));
        command.args(arguments).current_dir(self.directory.path());
        for variable in ["DATABASE_URL", "PGHOST", "PGUSER", "PGDATABASE", "PGPORT", "PGOPTIONS"] {
            command.env_remove(variable);
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().expect("pgplumb runs"))
    }

    /// Runs against the stage's database.
    pub fn on(&self, arguments: &[&str]) -> Ran {
        self.on_as("postgres", arguments)
    }

    pub fn on_as(&self, role: &str, arguments: &[&str]) -> Ran {
        let url = self.url_as(role);
        let mut all = arguments.to_vec();
        all.extend(["--url", url.as_str()]);
        self.run(&all)
    }

    /// Makes a plan file and returns it with what was said.
    pub fn plan(&self, flags: &[&str]) -> (PathBuf, Ran) {
        let path = self.path("plan.yaml");
        let name = path.display().to_string();
        let mut arguments = vec!["plan", "--out", name.as_str()];
        arguments.extend(flags);
        let ran = self.on(&arguments);
        (path, ran)
    }

    /// Makes a plan that must come about.
    pub fn planned(&self, flags: &[&str]) -> PathBuf {
        let (path, ran) = self.plan(flags);
        ran.ok();
        path
    }

    pub fn apply(&self, plan: &Path) -> Ran {
        self.on(&["apply", &plan.display().to_string(), "--yes"])
    }

    /// Whether a new plan has nothing to do.
    pub fn agrees(&self) {
        let ran = self.on(&["plan", "--exit-code"]);
        assert_eq!(ran.status, Some(0), "{ran}");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let output = psql("postgres", "postgres")
            .args(["-c", &format!("drop database {} with (force)", self.database)])
            .output();
        if !std::thread::panicking() {
            let output = output.expect("psql runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

/// A program running beside the test; it ends with it.
pub struct Background(pub Child);

impl Background {
    pub fn feed(&mut self, sql: &str) {
        use std::io::Write;
        let input = self.0.stdin.as_mut().expect("its standard input");
        writeln!(input, "{sql}").and_then(|()| input.flush()).expect("it reads");
    }

    /// Ends it as a person would, and waits.
    pub fn end(mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a run of the program said.
pub struct Ran {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// It must have succeeded.
    #[track_caller]
    pub fn ok(&self) -> &Self {
        assert_eq!(self.status, Some(0), "{self}");
        self
    }

    /// It must have refused, with all these words and without a panic.
    #[track_caller]
    pub fn refused(&self, words: &[&str]) -> &Self {
        assert_eq!(self.status, Some(1), "{self}");
        assert!(!self.err.contains("panicked"), "{self}");
        for word in words {
            assert!(self.err.contains(word), "`{word}` is not in: {self}");
        }
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "status {:?}\n--- out\n{}--- err\n{}", self.status, self.out, self.err)
    }
}

fn psql(role: &str, database: &str) -> Command {
    let own = server().install().bin.join("psql");
    let mut command = Command::new(if own.exists() { own } else { "psql".into() });
    command
        .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d"])
        .arg(server().url(database).replace("user=postgres", &format!("user={role}")));
    command.env("PGOPTIONS", "-c client_min_messages=warning");
    command
}

fn psql_as(role: &str, database: &str, sql: &str) -> String {
    let mut command = psql(role, database);
    command.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("psql runs");
    let mut input = child.stdin.take().expect("its standard input");
    let text = sql.to_owned();
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        let _ = input.write_all(text.as_bytes());
    });
    let output = child.wait_with_output().expect("psql ends");
    let _ = writer.join();
    assert!(output.status.success(), "{}\nin {sql}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").trim_end().to_owned()
}

/// Waits until something is so.
#[track_caller]
pub fn soon(what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "not after 20 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Makes a role of the cluster where it is missing, so that tests may share it.
pub fn role(name: &str, options: &str) {
    psql_as(
        "postgres",
        "postgres",
        &format!(
            "select pg_advisory_lock(1); do $$ begin if not exists (select from pg_roles where rolname = '{}') then \
             create role \"{}\" {options}; end if; end $$;",
            name.replace('\'', "''"),
            name.replace('"', "\"\"")
        ),
    );
}

/// The declaration as it was checked, without a server.
pub fn drafts(path: &Path) -> Vec<pgplumb::kinds::Draft> {
    pgplumb::declare::read(path).unwrap_or_else(|error| panic!("{error}")).drafts
}
