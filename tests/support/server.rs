//! Servers of the majors that are tested.
//!
//! `PGPLUMB_TEST_MAJORS` names the majors, `16 18` if it is not set.

use super::database::Database;
use super::dump::Dump;
use pgplumb::catalog::connect::Target;
use pgplumb::compile::server::{find, LocalServer};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The roles of every test server: grants, owners and policies may name them.
pub const ROLES: [&str; 5] = ["app_user", "boss", "clerk", "reader", "writer"];

/// The majors to be tested.
pub fn majors() -> Vec<u32> {
    let words = std::env::var("PGPLUMB_TEST_MAJORS").unwrap_or_default();
    let words = if words.trim().is_empty() { "16 18" } else { words.as_str() };
    let number = |word: &str| word.parse().unwrap_or_else(|_| panic!("PGPLUMB_TEST_MAJORS: {word} is no number"));
    words.split([' ', ',']).filter(|word| !word.is_empty()).map(number).collect()
}

/// A server of our own, with [`ROLES`].
pub struct Server {
    local: LocalServer,
    pub major: u32,
    programs: PathBuf,
    made: AtomicUsize,
}

impl Server {
    pub fn start(major: u32) -> Self {
        let install = find(Some(major), None).unwrap_or_else(|error| panic!("{error}"));
        let local =
            LocalServer::start(&install, &super::place::options("test")).unwrap_or_else(|error| panic!("{error}"));
        let server = Self { local, major, programs: install.bin, made: AtomicUsize::new(0) };
        let roles = ROLES.map(|role| format!("create role {role};")).concat();
        server.psql("postgres", &roles).unwrap_or_else(|error| panic!("{error}"));
        server
    }

    pub fn url(&self, database: &str) -> String {
        self.local.url(database)
    }

    /// A database as pgplumb connects to it; the environment has no say.
    pub fn target(&self, database: &str) -> Target {
        Target::resolve(Some(&self.url(database)), &|_| None).unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn has_extension(&self, name: &str) -> bool {
        self.local.install().has_extension(name)
    }

    /// A new, empty database.
    pub fn database(&self) -> Database<'_> {
        // Nothing here is meant to survive a crash, so a copy of the files is the quicker way.
        self.made_of("template0", if self.major >= 15 { "strategy file_copy" } else { "" })
    }

    /// A new database with what is in this one, to which nobody may be connected.
    pub fn copy(&self, database: &str) -> Database<'_> {
        // What was written to it lately need not reach the disk first.
        self.made_of(database, "")
    }

    fn made_of(&self, template: &str, strategy: &str) -> Database<'_> {
        let name = format!("t{}", self.made.fetch_add(1, Ordering::Relaxed));
        let sql = format!("create database {name} template {template} {strategy}");
        self.psql("postgres", &sql).unwrap_or_else(|error| panic!("{error}"));
        Database { server: self, name }
    }

    /// Runs a script with psql, statement by statement; gives what it printed, or the first error.
    pub fn psql(&self, database: &str, script: &str) -> Result<String, String> {
        let mut command = self.program("psql");
        command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", &self.url(database)]);
        command.env("PGOPTIONS", "-c client_min_messages=warning");
        run(command, script)
    }

    /// What `pg_dump --schema-only` prints, without pgplumb's journal.
    pub fn pg_dump(&self, database: &str) -> Result<String, String> {
        let mut command = self.program("pg_dump");
        command.args(["--schema-only", "--exclude-schema=pgplumb", "-d", &self.url(database)]);
        run(command, "")
    }

    /// What pg_dump says of a database that was restored from a dump, of a database with or without `public`.
    pub fn dump_restored(&self, text: &str, with_public: bool) -> Result<Dump, String> {
        let copy = self.database();
        // Every new database has this schema.
        copy.psql("drop schema public")?;
        let makes_public = text.lines().any(|line| line == "CREATE SCHEMA public;");
        let public =
            if with_public && !makes_public { "create schema public authorization pg_database_owner;\n" } else { "" };
        copy.psql(&format!("{public}{text}"))?;
        copy.dump()
    }

    /// What this major's pg_dump prints of a database on a server of the same or an older one, rows included.
    pub fn pg_dump_of(&self, database: &Database) -> Result<String, String> {
        let mut command = self.program("pg_dump");
        command.args(["--exclude-schema=pgplumb", "-d", &database.server.url(&database.name)]);
        run(command, "")
    }

    /// The program beside the server's, or the one on PATH.
    fn program(&self, name: &str) -> Command {
        let own = self.programs.join(name);
        Command::new(if own.exists() { own } else { PathBuf::from(name) })
    }
}

fn run(mut command: Command, input: &str) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot run it: {error}");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let mut stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            // A program that stops reading has failed, and says why.
            let _ = stdin.as_mut().map(|pipe| pipe.write_all(input.as_bytes()));
            drop(stdin);
        });
        child.wait_with_output()
    });
    let output = output.map_err(failed)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
