//! Why a connection failed, in the user's words: what happened, what to do, and what to try next.

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::Duration;

use rustls::CertificateError;
use tokio_postgres::error::SqlState;

use super::{Endpoint, Target, Way};
use crate::error::Error;

/// What may still succeed after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another address or host: this one was not reached or does not serve now.
    Elsewhere,
    /// The same server with TLS instead of without, or the other way round.
    OtherWay,
    Stop,
}

#[derive(Debug)]
pub(super) struct Failure {
    pub next: Next,
    message: String,
    hint: Option<String>,
}

impl Failure {
    fn new(next: Next, message: impl Into<String>) -> Self {
        Self { next, message: message.into(), hint: None }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub fn timed_out(limit: Duration) -> Self {
        Self::new(Next::Elsewhere, format!("no answer within {} s", limit.as_secs()))
            .hint("check host, port and firewall; connect_timeout (PGCONNECT_TIMEOUT) sets the limit")
    }

    pub fn unknown_host(host: &str, error: &std::io::Error) -> Self {
        Self::new(Next::Elsewhere, format!("unknown host \"{host}\": {error}")).hint("check the spelling of the host")
    }

    pub fn no_address(endpoint: &Endpoint) -> Self {
        Self::new(Next::Elsewhere, format!("{endpoint} has no address"))
    }

    /// The first way failed so, the second one so.
    pub fn and_then(self, second: Self) -> Self {
        if self.message == second.message {
            return second;
        }
        let message = format!("{}; on the second try: {}", self.message, second.message);
        Self { next: second.next, message, hint: self.hint.or(second.hint) }
    }

    pub fn or_stop(self) -> Self {
        let next = if self.next == Next::OtherWay { Next::Stop } else { self.next };
        Self { next, ..self }
    }
}

/// One error for everything that was tried.
pub(super) fn report(target: &Target, failures: Vec<(&Endpoint, Failure)>) -> Error {
    let login = format!("(database \"{}\", user \"{}\")", target.database, target.user);
    let hint = failures.iter().rev().find_map(|(_, failure)| failure.hint.clone());
    let message = match failures.as_slice() {
        [(endpoint, failure)] => format!("cannot connect to {endpoint} {login}: {}", failure.message),
        several => {
            let each: Vec<String> =
                several.iter().map(|(endpoint, failure)| format!("{endpoint}: {}", failure.message)).collect();
            format!("cannot connect {login}: {}", each.join("; "))
        }
    };
    let error = Error::new(message);
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

pub(super) fn diagnose(target: &Target, endpoint: &Endpoint, way: Way, error: &tokio_postgres::Error) -> Failure {
    if let Some(db) = error.as_db_error() {
        return said_by_server(target, endpoint, db);
    }
    let source = error.source();
    if let Some(io) = source.and_then(|source| source.downcast_ref::<std::io::Error>()) {
        return match io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => in_handshake(endpoint, tls),
            None => on_the_wire(target, endpoint, io),
        };
    }
    // What is left has no type of its own in tokio-postgres.
    let cause = source.map(ToString::to_string).unwrap_or_default();
    match cause.as_str() {
        "password missing" => Failure::new(Next::Stop, "the server asks for a password and none is given")
            .hint(format!("set PGPASSWORD, or add a line to {}", password_file(target))),
        "server does not support TLS" => Failure::new(Next::OtherWay, "the server does not support SSL")
            .hint("switch ssl on in the server, or allow a plain connection with sslmode=prefer"),
        "server did not use channel binding" => {
            Failure::new(Next::Stop, cause).hint("channel_binding=require needs TLS and a SCRAM password")
        }
        "" if error.is_closed() => closed_at_once(target),
        "" => Failure::new(Next::Stop, error.to_string()),
        _ if way == Way::Plain => Failure::new(Next::Stop, format!("{error}: {cause}")),
        _ => Failure::new(if is_tls(error) { Next::OtherWay } else { Next::Stop }, format!("{error}: {cause}")),
    }
}

fn is_tls(error: &tokio_postgres::Error) -> bool {
    error.to_string().contains("TLS handshake")
}

fn said_by_server(target: &Target, endpoint: &Endpoint, db: &tokio_postgres::error::DbError) -> Failure {
    let message = format!("{} ({})", db.message(), db.code().code());
    let stop = |hint: String| Failure::new(Next::Stop, message.clone()).hint(hint);
    let (database, user) = (&target.database, &target.user);
    match *db.code() {
        SqlState::INVALID_PASSWORD => match target.password_for(endpoint) {
            Some(_) if target.password.is_none() => {
                stop(format!("the password came from {}; check the matching line", password_file(target)))
            }
            _ => stop(format!("check the password of user \"{user}\"")),
        },
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            // The words pg_hba.conf stay as they are in every language of the server.
            let hint = match db.message().contains("pg_hba.conf") {
                true => format!("allow user \"{user}\" on database \"{database}\" in the server's pg_hba.conf"),
                false => format!("check that role \"{user}\" exists, may log in, and that pg_hba.conf names its way"),
            };
            Failure::new(Next::OtherWay, message).hint(hint)
        }
        SqlState::INVALID_CATALOG_NAME => {
            stop(format!("create it (createdb {database}), or check the name of the database"))
        }
        SqlState::INSUFFICIENT_PRIVILEGE => stop(format!("grant connect on database \"{database}\" to \"{user}\"")),
        SqlState::TOO_MANY_CONNECTIONS => stop("wait, or end idle sessions of the server".to_owned()),
        SqlState::CANNOT_CONNECT_NOW => {
            Failure::new(Next::Elsewhere, message).hint("the server is starting or stopping: try again")
        }
        _ => {
            let failure = Failure::new(Next::Stop, message);
            match db.hint() {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        }
    }
}

fn password_file(target: &Target) -> String {
    match target.passfile.path.as_os_str().is_empty() {
        true => "the password file".to_owned(),
        false => target.passfile.path.display().to_string(),
    }
}

fn closed_at_once(target: &Target) -> Failure {
    Failure::new(Next::OtherWay, "the server closed the connection at once").hint(match target.tls.direct {
        true => "sslnegotiation=direct needs PostgreSQL 17 or later",
        false => "is this the port of a PostgreSQL server?",
    })
}

fn on_the_wire(target: &Target, endpoint: &Endpoint, io: &std::io::Error) -> Failure {
    let failure = |message: &str| Failure::new(Next::Elsewhere, message);
    match (io.kind(), endpoint) {
        (ErrorKind::ConnectionRefused, _) => {
            failure("connection refused").hint("is the server running, and listening at this host and port?")
        }
        (ErrorKind::NotFound, Endpoint::Socket { .. }) => failure("the socket does not exist")
            .hint("is the server running? check the directory (unix_socket_directories) and the port"),
        (ErrorKind::PermissionDenied, Endpoint::Socket { .. }) => {
            failure("the socket may not be used by this user").hint("check unix_socket_permissions of the server")
        }
        (ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe, _) => closed_at_once(target),
        _ => failure(&io.to_string()).hint("check host, port and network"),
    }
}

fn in_handshake(endpoint: &Endpoint, error: &rustls::Error) -> Failure {
    let distrust = |why: String, hint: &str| {
        Failure::new(Next::Stop, format!("the server's certificate is not trusted: {why}")).hint(hint)
    };
    let rustls::Error::InvalidCertificate(certificate) = error else {
        return match error {
            rustls::Error::AlertReceived(alert) => {
                Failure::new(Next::OtherWay, format!("the server refused the TLS handshake: {alert:?}"))
                    .hint("check the client certificate (sslcert, sslkey) and the TLS versions of the server")
            }
            _ => Failure::new(Next::OtherWay, format!("TLS failed: {error}")),
        };
    };
    match certificate {
        CertificateError::UnknownIssuer => distrust(
            "its issuer is unknown".to_owned(),
            "give the certificate of its authority as sslrootcert, or sslrootcert=system for a public one",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let name = match endpoint {
                Endpoint::Tcp { host: Some(host), .. } => host.clone(),
                _ => endpoint.to_string(),
            };
            distrust(
                format!("it is not valid for the host name \"{name}\""),
                "connect by a name that it contains; sslmode=verify-ca does not compare names",
            )
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            distrust("it has expired".to_owned(), "renew the certificate, or check the clock of this machine")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            distrust("it is not valid yet".to_owned(), "check the clocks of both machines")
        }
        // rustls passes this one on without a variant of its own.
        other if format!("{other:?}").contains("UnsupportedCertVersion") => distrust(
            "it is an X.509 version 1 certificate, which cannot be verified".to_owned(),
            "make one of version 3, with the host as subjectAltName",
        ),
        _ => distrust(certificate.to_string(), "check the certificate of the server and the file in sslrootcert"),
    }
}
