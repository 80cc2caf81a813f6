//! A PostgreSQL server of our own, for scratch, demonstrations and tests.
//!
//! It lives in a temporary directory, listens on a socket there and nowhere else, trades durability
//! for speed, and is gone when its [`LocalServer`] is dropped, when [`stop_all`] is called, or when
//! this process dies of anything. What a killed process could not remove, the next start removes.
//!
//! - [`install`]: which binaries there are;
//! - `access`: the account that runs them, and copies for one that cannot reach them;
//! - `cluster`: a fresh data directory, quickly;
//! - `directory`: the temporary directory, its lock, leftovers;
//! - `process`: accounts, child processes that end with us, locks;
//! - `tree`: copies of directory trees.

mod access;
mod cluster;
mod directory;
mod install;
mod process;
mod tree;

pub use directory::clean_leftovers;
pub use install::{find, installs, Install, ROOT_VARIABLE};

use crate::error::{Error, Result};
use access::Runnable;
use cluster::Source;
use directory::Directory;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const PORT: u16 = 5432;
const START_PATIENCE: Duration = Duration::from_secs(60);

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Settings of `postgresql.conf` that win over ours.
    pub settings: Vec<(String, String)>,
    /// Where the temporary directory is made; default: `TMPDIR` where it suits, else `/tmp`.
    pub base: Option<PathBuf>,
    /// One or two words for people who look at the list of processes.
    pub purpose: String,
}

/// A running server. Dropping it stops it and removes its directory.
#[derive(Debug)]
pub struct LocalServer {
    running: Arc<Running>,
    install: Install,
    pid: u32,
}

/// What has to be undone: the directory and, once started, the process.
#[derive(Debug)]
struct Running {
    directory: Directory,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Starting,
    Up(Child),
    Stopped,
}

/// All servers of this process, for [`stop_all`].
static SERVERS: Mutex<Vec<Arc<Running>>> = Mutex::new(Vec::new());

fn servers() -> MutexGuard<'static, Vec<Arc<Running>>> {
    SERVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LocalServer {
    /// Starts a server and waits until it accepts connections. Blocks for some tenths of a second,
    /// about one second the first time an installation is used.
    pub fn start(install: &Install, options: &Options) -> Result<LocalServer> {
        clean_leftovers(options.base.as_deref());
        let postgres = Runnable::new(install, process::account()?)?;
        let account = postgres.account.as_ref();
        let base = directory::base(options.base.as_deref(), account)?;
        let running = Arc::new(Running {
            directory: Directory::create(&base, account, &options.purpose)?,
            state: Mutex::new(State::Starting),
        });
        servers().push(running.clone());
        match running.bring_up(&postgres, options) {
            Ok(pid) => Ok(LocalServer { running, install: postgres.install, pid }),
            Err(error) => {
                running.forget();
                Err(error)
            }
        }
    }

    /// A connection URL for a database of the server, as its superuser `postgres`.
    pub fn url(&self, database: &str) -> String {
        let host = self.socket_dir().to_string_lossy();
        format!("postgresql:///{}?host={}&user=postgres&port={PORT}", percent(database), percent(&host))
    }

    /// The server's temporary directory.
    pub fn directory(&self) -> &Path {
        &self.running.directory.path
    }

    /// The directory of the server's socket: the `host` of a connection.
    pub fn socket_dir(&self) -> &Path {
        self.directory()
    }

    pub fn major(&self) -> u32 {
        self.install.major
    }

    /// The binaries that run, which for root may be a copy of those asked for.
    pub fn install(&self) -> &Install {
        &self.install
    }

    /// The process id of the postmaster.
    pub fn pid(&self) -> u32 {
        self.pid
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        self.running.forget();
    }
}

/// Stops all servers of this process and removes their directories: for a signal's arrival and for
/// exits that run no destructors. Not for use inside a signal handler proper.
pub fn stop_all() {
    let all: Vec<Arc<Running>> = servers().drain(..).collect();
    for running in &all {
        if let State::Up(child) = &*running.state() {
            process::signal(child.id(), libc::SIGQUIT);
        }
    }
    for running in all {
        running.stop();
    }
}

impl Running {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From an empty directory to a server that accepts connections. A kept data directory of
    /// which no server starts is replaced once.
    fn bring_up(&self, postgres: &Runnable, options: &Options) -> Result<u32> {
        let wanted = || !matches!(*self.state(), State::Stopped);
        let source = cluster::make(postgres, &self.directory.path, &wanted)?.ok_or_else(interrupted)?;
        let result = self.launch(postgres, options);
        if result.is_ok() || source == Source::Made {
            return result;
        }
        match &mut *self.state() {
            State::Up(child) => end(child),
            State::Starting => {}
            State::Stopped => return Err(interrupted()),
        }
        cluster::make_afresh(postgres, &self.directory.path)?;
        self.launch(postgres, options)
    }

    fn launch(&self, postgres: &Runnable, options: &Options) -> Result<u32> {
        let path = &self.directory.path;
        let mut settings = settings(path, &options.purpose);
        settings.extend(options.settings.iter().cloned());
        cluster::configure(path, &settings)?;

        let program = postgres.install.program("postgres");
        let failed = |error: std::io::Error| Error::new(format!("cannot start {}: {error}", program.display()));
        let mut command = postgres.command("postgres", path);
        command.arg("-D").arg(self.directory.data());
        let log_path = path.join("log");
        let _ = fs::remove_file(&log_path);
        let log = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&log_path).map_err(failed)?;
        command.stdout(log.try_clone().map_err(failed)?).stderr(log);

        let pid = {
            let mut state = self.state();
            if matches!(*state, State::Stopped) {
                return Err(interrupted());
            }
            let child = process::spawn(command).map_err(failed)?;
            let pid = child.id();
            *state = State::Up(child);
            pid
        };
        self.await_ready(pid).map_err(|why| {
            let log = fs::read_to_string(path.join("log")).unwrap_or_default();
            let told = if log.is_empty() { String::new() } else { format!("\n{}", cluster::last_lines(&log, 20)) };
            Error::new(format!("PostgreSQL {} did not start: {why}{told}", postgres.install.version))
        })?;
        Ok(pid)
    }

    /// Waits until the server says it is ready and its socket answers.
    fn await_ready(&self, pid: u32) -> std::result::Result<(), String> {
        let data = self.directory.data();
        let socket = self.directory.path.join(format!(".s.PGSQL.{PORT}"));
        let end = Instant::now() + START_PATIENCE;
        loop {
            match &mut *self.state() {
                State::Up(child) => {
                    if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                        return Err(status.to_string());
                    }
                }
                State::Starting | State::Stopped => return Err("it was told to stop".to_owned()),
            }
            let ready = directory::postmaster(&data).is_some_and(|(named, status)| named == pid && status == "ready");
            if ready && UnixStream::connect(&socket).is_ok() {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!("not ready after {} s", START_PATIENCE.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn forget(self: &Arc<Self>) {
        servers().retain(|running| !Arc::ptr_eq(running, self));
        self.stop();
    }

    /// Stops the server and removes the directory. The second call does nothing.
    fn stop(&self) {
        let mut state = self.state();
        match std::mem::replace(&mut *state, State::Stopped) {
            State::Up(mut child) => end(&mut child),
            State::Starting => {}
            State::Stopped => return,
        }
        // What cannot be removed now, the next start removes.
        let _ = self.directory.remove();
    }
}

fn interrupted() -> Error {
    Error::new("the start of a temporary PostgreSQL server was interrupted")
}

/// Immediate shutdown, since its data goes with it; the rest is for a server that hangs.
fn end(child: &mut Child) {
    for (signal, patience) in [(libc::SIGQUIT, 6), (libc::SIGKILL, 5)] {
        if wait(child, Duration::ZERO).is_some() {
            return;
        }
        process::signal(child.id(), signal);
        if wait(child, Duration::from_secs(patience)).is_some() {
            return;
        }
    }
}

fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + patience;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) | Err(_) if Instant::now() >= end => return None,
            Ok(None) | Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Settings for a server whose data nobody will miss.
///
/// `max_locks_per_transaction` is per backend that may exist, and a schema of 10,000 tables made in
/// one transaction locks every table, index, sequence and toast table.
fn settings(directory: &Path, purpose: &str) -> Vec<(String, String)> {
    let sockets = format!("\"{}\"", directory.to_string_lossy().replace('"', "\"\""));
    let purpose: String = purpose.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(40).collect();
    let name = format!("pgplumb {purpose}");
    [
        ("listen_addresses", ""),
        ("port", &PORT.to_string()),
        ("unix_socket_directories", &sockets),
        ("unix_socket_permissions", "0700"),
        ("cluster_name", name.trim()),
        ("fsync", "off"),
        ("synchronous_commit", "off"),
        ("full_page_writes", "off"),
        ("wal_level", "minimal"),
        ("max_wal_senders", "0"),
        ("wal_skip_threshold", "0"),
        ("max_wal_size", "1GB"),
        ("checkpoint_timeout", "1h"),
        ("autovacuum", "off"),
        ("jit", "off"),
        ("shared_buffers", "64MB"),
        ("huge_pages", "off"),
        ("max_connections", "50"),
        // Below its directory, so that it goes with that whatever ends the server.
        ("dynamic_shared_memory_type", "mmap"),
        ("max_locks_per_transaction", "2048"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
fn percent(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}
