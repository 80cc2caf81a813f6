//! Connecting to PostgreSQL with libpq's habits.
//!
//! [`Target::resolve`] turns a URL or `key=value` string, the `PG*` variables, a service file and
//! the password file into one resolved [`Target`]; [`connect`] tries its hosts in order. Sources:
//! PostgreSQL manual, "Connection Strings", "Environment Variables", "SSL Support" (libpq). We differ
//! where libpq is lax: what cannot be honoured is refused, and a wrong password is not tried again
//! over the other kind of connection. No message and no `Debug` output shows a password.

mod conninfo;
mod endpoint;
mod failure;
mod passfile;
mod tls;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::config::{ChannelBinding, SslMode, SslNegotiation, TargetSessionAttrs};
use tokio_postgres::{CancelToken, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{Error, Result};
use conninfo::{Env, Settings};
use endpoint::{Endpoint, SOCKET_DIRECTORIES};
use failure::{Failure, Next};
use passfile::Password;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where to connect, as whom, and how: every default filled in, the password included but never shown.
#[derive(Clone, Debug)]
pub struct Target {
    endpoints: Vec<Endpoint>,
    database: String,
    user: String,
    password: Option<Password>,
    passfile: Arc<Passfile>,
    tls: tls::Settings,
    timeout: Option<Duration>,
    config: Config,
}

#[derive(Debug, Default)]
struct Passfile {
    path: PathBuf,
    lines: Vec<passfile::Line>,
}

/// One way to talk over one TCP connection or socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Plain,
    TlsIfOffered,
    Tls,
}

/// Connects to the first endpoint of the target that answers, and spawns the task that drives the
/// connection; it ends when the client is dropped.
///
/// # Errors
/// Says for each endpoint that was tried what went wrong, with a hint where one is known.
pub async fn connect(target: &Target) -> Result<Client> {
    let connector = tls::connector(&target.tls, target.may_use_tls())?;
    let mut failures = Vec::new();
    for endpoint in &target.endpoints {
        match reach(target, endpoint, &connector).await {
            Ok(client) => return Ok(client),
            Err(failure) => {
                let stop = failure.next == Next::Stop;
                failures.push((endpoint, failure));
                if stop {
                    break;
                }
            }
        }
    }
    Err(failure::report(target, failures))
}

/// Asks the server to cancel what a connection of this target runs; the statement then fails with
/// SQLSTATE 57014. The request goes the same way as the connection, with TLS or without.
///
/// # Errors
/// Only that the request could not be sent: the server does not answer it.
pub async fn cancel(target: &Target, token: &CancelToken) -> Result<()> {
    let connector = tls::connector(&target.tls, target.may_use_tls())?;
    match within(target.timeout, token.cancel_query(connector)).await {
        Ok(sent) => sent.map_err(|error| Error::from(error).while_("cannot cancel the statement")),
        Err(limit) => Err(Error::new(format!("cannot cancel the statement: no answer within {} s", limit.as_secs()))),
    }
}

/// Tries the addresses of one endpoint in order.
async fn reach(
    target: &Target,
    endpoint: &Endpoint,
    connector: &MakeRustlsConnect,
) -> std::result::Result<Client, Failure> {
    let addresses = match endpoint {
        Endpoint::Socket { .. } => vec![None],
        Endpoint::Tcp { address: Some(address), .. } => vec![Some(*address)],
        Endpoint::Tcp { host, address: None, port } => {
            let host = host.as_deref().unwrap_or("localhost");
            let lookup = within(target.timeout, tokio::net::lookup_host((host, *port))).await;
            let found = lookup.map_err(Failure::timed_out)?.map_err(|error| Failure::unknown_host(host, &error))?;
            found.map(|address: SocketAddr| Some(address.ip())).collect()
        }
    };
    let mut last = None;
    for address in addresses {
        match try_ways(target, endpoint, address, connector).await {
            Ok(client) => return Ok(client),
            Err(failure) if failure.next == Next::Stop => return Err(failure),
            Err(failure) => last = Some(failure),
        }
    }
    Err(last.unwrap_or_else(|| Failure::no_address(endpoint)))
}

/// `prefer` and `allow` have a second way when the first one was not wanted by the server.
async fn try_ways(
    target: &Target,
    endpoint: &Endpoint,
    address: Option<IpAddr>,
    connector: &MakeRustlsConnect,
) -> std::result::Result<Client, Failure> {
    let mut first: Option<Failure> = None;
    for way in ways(target.tls.mode, endpoint) {
        match attempt(target, endpoint, address, *way, connector).await {
            Ok(client) => return Ok(client),
            Err(failure) => {
                let next = failure.next;
                first = Some(match first {
                    Some(first) => first.and_then(failure),
                    None => failure,
                });
                if next != Next::OtherWay {
                    break;
                }
            }
        }
    }
    // Both ways were refused by the server: another address of it would say the same.
    Err(first.map_or_else(|| Failure::no_address(endpoint), Failure::or_stop))
}

async fn attempt(
    target: &Target,
    endpoint: &Endpoint,
    address: Option<IpAddr>,
    way: Way,
    connector: &MakeRustlsConnect,
) -> std::result::Result<Client, Failure> {
    let config = target.config_for(endpoint, address, way);
    match within(target.timeout, config.connect(connector.clone())).await {
        Ok(Ok((client, connection))) => {
            // A lost connection shows up as the error of the statement that runs on it.
            tokio::spawn(async move {
                let _ = connection.await;
            });
            Ok(client)
        }
        Ok(Err(error)) => Err(failure::diagnose(target, endpoint, way, &error)),
        Err(limit) => Err(Failure::timed_out(limit)),
    }
}

/// The error is the limit that passed.
async fn within<F: std::future::Future>(
    limit: Option<Duration>,
    future: F,
) -> std::result::Result<F::Output, Duration> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, future).await.map_err(|_| limit),
        None => Ok(future.await),
    }
}

fn ways(mode: tls::Mode, endpoint: &Endpoint) -> &'static [Way] {
    match (endpoint, mode) {
        (Endpoint::Socket { .. }, _) | (_, tls::Mode::Disable) => &[Way::Plain],
        (_, tls::Mode::Allow) => &[Way::Plain, Way::Tls],
        (_, tls::Mode::Prefer) => &[Way::TlsIfOffered, Way::Plain],
        (_, tls::Mode::Require | tls::Mode::VerifyCa | tls::Mode::VerifyFull) => &[Way::Tls],
    }
}

impl Target {
    /// Resolves what was written (`postgres://` URL or `key=value` string) with the environment.
    ///
    /// # Errors
    /// Malformed strings, unknown or unsupported parameters, bad values. No value is ever shown.
    pub fn resolve(url: Option<&str>, env: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let mut settings = conninfo::gather(url, env)?;
        let tls = tls::Settings::take(&mut settings, home(env).as_deref())?;
        let user = match settings.remove("user") {
            Some(user) => user,
            None => os_user().ok_or_else(|| {
                Error::new("the operating system knows no name for this user").with_hint("give a user, or set PGUSER")
            })?,
        };
        let database = settings.remove("dbname").unwrap_or_else(|| user.clone());
        let endpoints = endpoint::pair_up(&mut settings)?;
        let password = settings.remove("password").map(Password);
        let path =
            settings.remove("passfile").map(PathBuf::from).or_else(|| home(env).map(|home| home.join(".pgpass")));
        let passfile = match (&password, path) {
            (None, Some(path)) => Passfile { lines: passfile::read(&path), path },
            _ => Passfile::default(),
        };
        let timeout = match integer(&mut settings, "connect_timeout")? {
            Some(seconds) => u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs),
            None => Some(DEFAULT_TIMEOUT),
        };
        let config = session(&mut settings)?;
        Ok(Self { endpoints, database, user, password, passfile: Arc::new(passfile), tls, timeout, config })
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    /// The same server and user, another database; a password file is asked again.
    pub fn with_database(&self, name: &str) -> Self {
        Self { database: name.to_owned(), ..self.clone() }
    }

    /// The same server and database, another user; a password file is asked again.
    pub fn with_user(&self, name: &str) -> Self {
        Self { user: name.to_owned(), ..self.clone() }
    }

    /// `localhost:5432` or `socket /tmp:5432`; several hosts stand between commas.
    pub fn host_label(&self) -> String {
        let labels: Vec<String> = self.endpoints.iter().map(Endpoint::to_string).collect();
        labels.join(",")
    }

    /// The target in words, without the password.
    pub fn describe(&self) -> String {
        format!("database \"{}\" at {} as user \"{}\"", self.database, self.host_label(), self.user)
    }

    fn may_use_tls(&self) -> bool {
        self.endpoints.iter().any(|endpoint| ways(self.tls.mode, endpoint) != [Way::Plain])
    }

    /// What tokio-postgres needs to make one attempt.
    fn config_for(&self, endpoint: &Endpoint, address: Option<IpAddr>, way: Way) -> Config {
        let mut config = self.config.clone();
        config.user(&self.user).dbname(&self.database);
        if let Some(password) = self.password_for(endpoint) {
            config.password(&password.0);
        }
        match endpoint {
            Endpoint::Socket { directory, port } => config.host_path(directory).port(*port),
            Endpoint::Tcp { host, port, .. } => {
                // The name is what a certificate is compared with, the address is what is dialled.
                let name = host.clone().or_else(|| address.map(|address| address.to_string()));
                config.host(name.unwrap_or_default()).port(*port);
                if let Some(address) = address {
                    config.hostaddr(address);
                }
                &mut config
            }
        };
        config.ssl_mode(match way {
            Way::Plain => SslMode::Disable,
            Way::TlsIfOffered => SslMode::Prefer,
            Way::Tls => SslMode::Require,
        });
        if way != Way::Plain && self.tls.direct {
            config.ssl_negotiation(SslNegotiation::Direct);
        }
        config
    }

    fn password_for(&self, endpoint: &Endpoint) -> Option<&Password> {
        let find = |host: &str, port: u16| passfile::find(&self.passfile.lines, host, port, &self.database, &self.user);
        self.password.as_ref().or_else(|| match endpoint {
            Endpoint::Socket { directory, port } => {
                let default = SOCKET_DIRECTORIES.iter().any(|known| directory == Path::new(known));
                let by_name = if default { find("localhost", *port) } else { None };
                by_name.or_else(|| find(&directory.to_string_lossy(), *port))
            }
            Endpoint::Tcp { host, address, port } => {
                let address = address.map(|address| address.to_string());
                find(host.as_deref().or(address.as_deref()).unwrap_or("localhost"), *port)
            }
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

/// The parameters that concern neither the place, nor the login, nor TLS.
fn session(settings: &mut Settings) -> Result<Config> {
    let mut config = Config::new();
    let fallback = settings.remove("fallback_application_name");
    let name = settings.remove("application_name").or(fallback);
    config.application_name(name.as_deref().unwrap_or("pgplumb"));
    if let Some(options) = settings.remove("options") {
        config.options(options);
    }
    config.channel_binding(one_of(
        settings,
        "channel_binding",
        ChannelBinding::Prefer,
        &[
            ("disable", ChannelBinding::Disable),
            ("prefer", ChannelBinding::Prefer),
            ("require", ChannelBinding::Require),
        ],
    )?);
    config.target_session_attrs(one_of(
        settings,
        "target_session_attrs",
        TargetSessionAttrs::Any,
        &[
            ("any", TargetSessionAttrs::Any),
            ("read-write", TargetSessionAttrs::ReadWrite),
            ("primary", TargetSessionAttrs::ReadWrite),
            ("read-only", TargetSessionAttrs::ReadOnly),
        ],
    )?);
    if let Some(on) = integer(settings, "keepalives")? {
        config.keepalives(on != 0);
    }
    let mut positive = |key| integer(settings, key).map(|n| n.and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0));
    if let Some(seconds) = positive("keepalives_idle")? {
        config.keepalives_idle(Duration::from_secs(seconds.into()));
    }
    if let Some(seconds) = positive("keepalives_interval")? {
        config.keepalives_interval(Duration::from_secs(seconds.into()));
    }
    if let Some(count) = positive("keepalives_count")? {
        config.keepalives_retries(count);
    }
    if let Some(milliseconds) = positive("tcp_user_timeout")? {
        config.tcp_user_timeout(Duration::from_millis(milliseconds.into()));
    }
    Ok(config)
}

fn integer(settings: &mut Settings, key: &str) -> Result<Option<i32>> {
    match settings.remove(key) {
        Some(text) => text.trim().parse().map(Some).map_err(|_| Error::new(format!("`{key}` is not a whole number"))),
        None => Ok(None),
    }
}

fn one_of<T: Copy>(settings: &mut Settings, key: &str, default: T, known: &[(&str, T)]) -> Result<T> {
    let Some(text) = settings.remove(key) else { return Ok(default) };
    match known.iter().find(|(name, _)| *name == text) {
        Some((_, value)) => Ok(*value),
        None => {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            Err(Error::new(format!("`{key}` has an unknown value"))
                .with_hint(format!("known are {}", names.join(", "))))
        }
    }
}

/// The directory of `.pgpass` and `.postgresql`.
fn home(env: Env) -> Option<PathBuf> {
    env("HOME").filter(|home| !home.is_empty()).map(PathBuf::from).or_else(std::env::home_dir)
}

/// The name of the effective user, as libpq takes it: not from the environment.
fn os_user() -> Option<String> {
    let mut buffer = vec![0; 16 * 1024];
    // SAFETY: an all-zero `passwd` is valid (null pointers), every pointer outlives the call, and the
    // name is read only after success, while the buffer it points into is alive.
    unsafe {
        let mut entry: libc::passwd = std::mem::zeroed();
        let mut found = std::ptr::null_mut();
        let status = libc::getpwuid_r(libc::geteuid(), &mut entry, buffer.as_mut_ptr(), buffer.len(), &mut found);
        if status != 0 || found.is_null() || entry.pw_name.is_null() {
            return None;
        }
        std::ffi::CStr::from_ptr(entry.pw_name).to_str().ok().map(str::to_owned)
    }
}
