//! A hot standby, read by a role that may only connect: with a fresh lock, `drift`, `plan` and `audit` answer there as on
//! the primary and write nothing. `apply` says what the server is, and changes nothing.
//!
//! The standby is what `pg_basebackup -R` makes (PostgreSQL manual, "Log-Shipping Standby Servers").

mod support;

use pgplumb::compile::server::{find, LocalServer};
use std::os::unix::fs::{chown, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::place;
use support::server::majors;
use support::stage::Ran;

const DECLARATION: &str = "pgplumb: 1\ntables:\n  t:\n    columns:\n      id: int primary key\n      note: text\n";

/// A primary that streams, and its standby.
struct Pair {
    standby: Child,
    socket: String,
    primary: LocalServer,
    _directory: tempfile::TempDir,
}

impl Pair {
    fn start(major: u32) -> Self {
        let install = find(Some(major), None).unwrap_or_else(|error| panic!("{error}"));
        let mut options = place::options("standby");
        // What was committed has been written, so that the end of what was written is the end of it.
        for (name, value) in [("wal_level", "replica"), ("max_wal_senders", "4"), ("synchronous_commit", "on")] {
            options.settings.push((name.to_owned(), value.to_owned()));
        }
        let primary = LocalServer::start(&install, &options).unwrap_or_else(|error| panic!("{error}"));
        let owner = std::fs::metadata(primary.directory().join("data")).expect("the data directory");
        let (uid, gid) = (owner.uid(), owner.gid());
        let directory = tempfile::Builder::new().prefix("pgplumb-standby").tempdir_in("/tmp").expect("a directory");
        chown(directory.path(), Some(uid), Some(gid)).expect("it is given away");
        let data = directory.path().join("data");
        let program = |name: &str| {
            let mut command = Command::new(primary.install().program(name));
            command.uid(uid).gid(gid).current_dir(directory.path()).stdin(Stdio::null());
            command
        };
        let url = primary.url("postgres");
        let output = program("pg_basebackup")
            .args(["-R", "-X", "stream", "-c", "fast", "--no-sync", "-d", &url, "-D"])
            .arg(&data)
            .output()
            .expect("pg_basebackup runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let socket = directory.path().display().to_string();
        let standby = program("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-k", &socket, "-c", "listen_addresses=", "-c", "hot_standby=on"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres runs");
        Self { standby, socket, primary, _directory: directory }
    }

    fn primary(&self) -> String {
        self.primary.url("postgres")
    }

    fn standby(&self, role: &str) -> String {
        let directory = self.primary.socket_dir().display().to_string();
        let url = self.primary().replace("user=postgres", &format!("user={role}"));
        url.replace(&percent(&directory), &percent(&self.socket)).replace(&directory, &self.socket)
    }

    /// Waits until the standby has replayed all that the primary wrote.
    fn caught_up(&self) {
        let end = psql(&self.primary(), "select pg_current_wal_flush_lsn()").expect("its position");
        let query = format!("select pg_is_in_recovery() and pg_last_wal_replay_lsn() >= '{}'", end.trim());
        let started = Instant::now();
        while psql(&self.standby("postgres"), &query).ok().as_deref().map(str::trim) != Some("t") {
            assert!(started.elapsed() < Duration::from_secs(60), "the standby does not catch up");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = self.standby.kill();
        let _ = self.standby.wait();
    }
}

fn percent(path: &str) -> String {
    path.replace('/', "%2F")
}

fn psql(url: &str, sql: &str) -> Result<String, String> {
    // The newest speaks to all.
    let program = find(None, None).map_err(|error| error.to_string())?.program("psql");
    let output = Command::new(program).args(["-XAtqd", url, "-c", sql]).output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

fn pgplumb(directory: &Path, arguments: &[&str], url: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgplumb"));
    command.args(arguments).args(["--url", url]).current_dir(directory);
    // Nothing here leads to binaries that a server could be started from.
    command.env("PGPLUMB_PG_ROOT", "/nonexistent").env("PATH", "/nonexistent").env_remove("DATABASE_URL");
    Ran::of(command.output().expect("pgplumb runs"))
}

#[test]
fn a_standby_is_read_and_not_changed() {
    for major in majors() {
        let pair = Pair::start(major);
        psql(&pair.primary(), "create role watcher login; create table t (id int primary key, note text)")
            .expect("SQL");
        let stage = tempfile::tempdir().expect("a directory");
        let here = stage.path();
        std::fs::create_dir(here.join("schema")).expect("a directory");
        std::fs::write(here.join("schema/all.yaml"), DECLARATION).expect("a file");
        std::fs::write(here.join("pgplumb.yaml"), format!("scratch: '{}'\n", pair.primary())).expect("a file");
        pgplumb(here, &["compile"], &pair.primary()).ok();
        std::fs::write(here.join("pgplumb.yaml"), "{}\n").expect("a file");
        let lock = std::fs::read(here.join("schema/schema.lock")).expect("the lock");
        pair.caught_up();
        let watcher = pair.standby("watcher");
        for command in [&["drift"][..], &["plan", "--exit-code"], &["audit"]] {
            let ran = pgplumb(here, command, &watcher);
            assert_eq!(ran.status, Some(0), "{command:?} on PostgreSQL {major}: {ran}");
        }

        psql(&pair.primary(), "alter table t drop column note").expect("SQL");
        pair.caught_up();
        for command in [&["drift"][..], &["plan", "--exit-code", "--out", "plan.yaml"]] {
            let ran = pgplumb(here, command, &watcher);
            assert_eq!(ran.status, Some(2), "{command:?} on PostgreSQL {major}: {ran}");
        }
        for role in ["postgres", "watcher"] {
            let ran = pgplumb(here, &["apply", "plan.yaml", "--yes"], &pair.standby(role));
            assert_eq!(ran.status, Some(1), "{ran}");
            assert!(ran.to_string().contains("hot standby, which can only be read"), "{ran}");
        }
        assert_eq!(std::fs::read(here.join("schema/schema.lock")).expect("the lock"), lock);
        pgplumb(here, &["apply", "plan.yaml", "--yes"], &pair.primary()).ok();
    }
}

#[test]
fn much_is_read_on_two_connections() {
    const MANY: &str = "do $$ begin for n in 1 .. 1100 loop execute format('create table t%s (id int primary key)', n); end loop; end $$";
    for major in majors() {
        let pair = Pair::start(major);
        psql(&pair.primary(), "create role watcher login").expect("SQL");
        psql(&pair.primary(), MANY).expect("SQL");
        let stage = tempfile::tempdir().expect("a directory");
        let here = stage.path();
        pgplumb(here, &["init", "."], &pair.primary()).ok();
        pair.caught_up();
        let ran = pgplumb(here, &["drift"], &pair.standby("watcher"));
        assert_eq!(ran.status, Some(0), "PostgreSQL {major}: {ran}");
    }
}
