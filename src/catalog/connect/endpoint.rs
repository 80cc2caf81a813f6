//! The servers to try: the lists of hosts, addresses and ports, paired and with their defaults.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use super::conninfo::Settings;
use crate::error::{Error, Result};

const DEFAULT_PORT: u16 = 5432;

/// Where servers put their socket: Debian's packages, and PostgreSQL as it comes.
pub(super) const SOCKET_DIRECTORIES: [&str; 2] = ["/var/run/postgresql", "/tmp"];

#[derive(Clone, Debug)]
pub(super) enum Endpoint {
    Socket { directory: PathBuf, port: u16 },
    Tcp { host: Option<String>, address: Option<IpAddr>, port: u16 },
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket { directory, port } => write!(f, "socket {}:{port}", directory.display()),
            Self::Tcp { host: Some(host), port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host: Some(host), port, .. } => write!(f, "{host}:{port}"),
            Self::Tcp { host: None, address: Some(address), port } => write!(f, "{}", SocketAddr::new(*address, *port)),
            Self::Tcp { host: None, address: None, port } => write!(f, "localhost:{port}"),
        }
    }
}

/// Pairs the comma lists of hosts, addresses and ports; an empty place means the default.
pub(super) fn pair_up(settings: &mut Settings) -> Result<Vec<Endpoint>> {
    let mut list = |key: &str| -> Vec<String> {
        let text = settings.remove(key).unwrap_or_default();
        if text.is_empty() {
            return Vec::new();
        }
        text.split(',').map(|part| part.trim().to_owned()).collect()
    };
    let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    let count = hosts.len().max(addresses.len()).max(1);
    let fits = |list: &[String]| list.is_empty() || list.len() == count;
    if !fits(&hosts) || !fits(&addresses) || !(fits(&ports) || ports.len() == 1) {
        return Err(Error::new(format!(
            "{} hosts, {} host addresses and {} ports do not pair up",
            hosts.len(),
            addresses.len(),
            ports.len()
        )));
    }
    let mut endpoints = Vec::with_capacity(count);
    for i in 0..count {
        let part = |list: &[String]| list.get(i).filter(|part| !part.is_empty()).cloned();
        let port = if ports.len() == 1 { ports.first().cloned() } else { part(&ports) };
        let port = match port.filter(|port| !port.is_empty()).map(|port| port.parse()) {
            None => DEFAULT_PORT,
            Some(Ok(port @ 1..)) => port,
            Some(_) => return Err(Error::new("`port` is not a number from 1 to 65535")),
        };
        let address =
            match part(&addresses) {
                Some(text) => Some(text.parse::<IpAddr>().map_err(|_| {
                    Error::new("`hostaddr` is not an IP address").with_hint("a name is given as `host`")
                })?),
                None => None,
            };
        endpoints.push(match (part(&hosts), address) {
            (Some(host), _) if host.contains('@') => {
                return Err(
                    Error::new("`host` contains an `@`").with_hint("an `@` in a password is written %40 in a URL")
                );
            }
            (Some(host), None) if host.starts_with('/') => Endpoint::Socket { directory: host.into(), port },
            (None, None) => default_endpoint(port),
            (host, address) => Endpoint::Tcp { host, address, port },
        });
    }
    Ok(endpoints)
}

/// The socket directory that has a server's socket, else TCP to this machine.
fn default_endpoint(port: u16) -> Endpoint {
    let mut directories = SOCKET_DIRECTORIES.iter().map(Path::new);
    match directories.find(|directory| directory.join(format!(".s.PGSQL.{port}")).exists()) {
        Some(directory) => Endpoint::Socket { directory: directory.to_owned(), port },
        None => Endpoint::Tcp { host: Some("localhost".to_owned()), address: None, port },
    }
}
