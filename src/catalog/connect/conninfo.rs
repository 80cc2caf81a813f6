//! The written form of a connection: a `postgres://` URL, a `key=value` string, the `PG*` variables
//! and a service file, merged into one map from libpq's keyword to its value.
//!
//! Source: PostgreSQL manual, "Connection Strings" and "Parameter Key Words" (libpq). A message of
//! this file never shows a value, and a key only where it cannot be a piece of a password that
//! somebody forgot to quote or to percent-encode.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::home;
use crate::error::{Error, Result};

/// A lookup of environment variables.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Values by libpq's keyword.
pub(super) type Settings = BTreeMap<&'static str, String>;

enum Support {
    /// Honoured, or without meaning for us: the encoding of the client is ours, GSS is never tried.
    Any,
    /// Only these values, which ask for nothing we do not do; the empty value is always fine.
    Only(&'static [&'static str]),
}
use Support::{Any, Only};

/// Every keyword of libpq with its environment variable. What we cannot honour is refused and not
/// ignored: several of these keywords ask for more security.
const KEYWORDS: &[(&str, &str, Support)] = &[
    ("application_name", "PGAPPNAME", Any),
    ("channel_binding", "PGCHANNELBINDING", Any),
    ("client_encoding", "PGCLIENTENCODING", Any),
    ("connect_timeout", "PGCONNECT_TIMEOUT", Any),
    ("dbname", "PGDATABASE", Any),
    ("fallback_application_name", "", Any),
    ("gssdelegation", "PGGSSDELEGATION", Only(&["0"])),
    ("gssencmode", "PGGSSENCMODE", Only(&["disable", "prefer"])),
    ("gsslib", "PGGSSLIB", Any),
    ("host", "PGHOST", Any),
    ("hostaddr", "PGHOSTADDR", Any),
    ("keepalives", "", Any),
    ("keepalives_count", "", Any),
    ("keepalives_idle", "", Any),
    ("keepalives_interval", "", Any),
    ("krbsrvname", "PGKRBSRVNAME", Any),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS", Only(&["disable"])),
    ("max_protocol_version", "PGMAXPROTOCOLVERSION", Only(&["3.0"])),
    ("min_protocol_version", "PGMINPROTOCOLVERSION", Only(&["3.0"])),
    ("oauth_client_id", "", Only(&[])),
    ("oauth_client_secret", "", Only(&[])),
    ("oauth_issuer", "", Only(&[])),
    ("oauth_scope", "", Only(&[])),
    ("options", "PGOPTIONS", Any),
    ("passfile", "PGPASSFILE", Any),
    ("password", "PGPASSWORD", Any),
    ("port", "PGPORT", Any),
    ("replication", "", Only(&["false", "off", "no", "0"])),
    ("require_auth", "PGREQUIREAUTH", Only(&[])),
    ("requirepeer", "PGREQUIREPEER", Only(&[])),
    ("scram_client_key", "", Only(&[])),
    ("scram_server_key", "", Only(&[])),
    ("service", "PGSERVICE", Any),
    ("servicefile", "PGSERVICEFILE", Any),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", Only(&["TLSv1.3"])),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", Only(&["TLSv1", "TLSv1.1", "TLSv1.2"])),
    ("sslcert", "PGSSLCERT", Any),
    ("sslcertmode", "PGSSLCERTMODE", Only(&["allow"])),
    ("sslcompression", "PGSSLCOMPRESSION", Only(&["0"])),
    ("sslcrl", "PGSSLCRL", Only(&[])),
    ("sslcrldir", "PGSSLCRLDIR", Only(&[])),
    ("sslkey", "PGSSLKEY", Any),
    ("sslmode", "PGSSLMODE", Any),
    ("sslnegotiation", "PGSSLNEGOTIATION", Any),
    ("sslpassword", "", Only(&[])),
    ("sslrootcert", "PGSSLROOTCERT", Any),
    ("sslsni", "PGSSLSNI", Any),
    ("target_session_attrs", "PGTARGETSESSIONATTRS", Any),
    ("tcp_user_timeout", "", Any),
    ("user", "PGUSER", Any),
];

/// Merges what was written with the service file and the environment, in libpq's order: a value
/// written wins over the service, the service over the variables. Empty values count as absent,
/// but hide what stands behind them.
pub(super) fn gather(url: Option<&str>, env: Env) -> Result<Settings> {
    let mut settings = match url {
        Some(text) => parse(text)?,
        None => Settings::new(),
    };
    let written = |key: &str, variable: &str| settings.get(key).cloned().or_else(|| env(variable));
    let service = written("service", "PGSERVICE").filter(|name| !name.is_empty());
    if let Some(name) = service {
        let file = written("servicefile", "PGSERVICEFILE").filter(|path| !path.is_empty());
        for (key, value) in read_service(&name, file, env)? {
            settings.entry(key).or_insert(value);
        }
    }
    for (key, variable, _) in KEYWORDS.iter().filter(|(_, variable, _)| !variable.is_empty()) {
        if settings.contains_key(key) {
            continue;
        }
        if let Some(value) = env(variable) {
            check(key, &value).map_err(|error| error.while_(format!("environment variable {variable}")))?;
            settings.insert(key, value);
        }
    }
    settings.retain(|_, value| !value.is_empty());
    Ok(settings)
}

fn parse(text: &str) -> Result<Settings> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::new("the connection URL is empty")
            .with_hint("name a database, or leave the URL out to connect by the PG* variables"));
    }
    if let Some(rest) = text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://")) {
        return parse_url(rest).map_err(|error| error.while_("connection URL"));
    }
    let before_equals = text.split('=').next().unwrap_or_default();
    if before_equals.contains("//") || !text.contains('=') {
        return Err(Error::new("this is neither a PostgreSQL URL nor a key=value connection string")
            .with_hint("write postgres://user@host:port/database or \"host=... dbname=...\""));
    }
    parse_pairs(text).map_err(|error| error.while_("connection string"))
}

/// `[user[:password]@][host[:port],...][/database][?key=value&...]`, every part percent-encoded.
fn parse_url(rest: &str) -> Result<Settings> {
    let mut settings = Settings::new();
    let mut put = |key: &'static str, value: String| {
        if !value.is_empty() {
            settings.insert(key, value);
        }
    };
    let (login, rest) = match rest.find(['@', '/']) {
        Some(at) if rest[at..].starts_with('@') => (&rest[..at], &rest[at + 1..]),
        _ => ("", rest),
    };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    put("user", decode(user, "the user name")?);
    put("password", decode(password, "the password")?);

    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, database) = place.split_once('/').unwrap_or((place, ""));
    if hosts.contains('@') || database.contains('@') {
        return Err(stray_at());
    }
    let (hosts, ports) = split_hosts(hosts)?;
    put("host", hosts);
    put("port", ports);
    put("dbname", decode(database, "the database name")?);

    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Error::new("a query parameter has no `=`")
                .with_hint("write ?key=value&key=value, and percent-encode `?` and `/` in a password"));
        };
        let (key, value) = (decode(key, "a query parameter")?, decode(value, "a query parameter")?);
        if (key.as_str(), value.as_str()) == ("ssl", "true") {
            settings.insert("sslmode", "require".to_owned());
            continue;
        }
        let keyword = find_keyword(&key, !query.contains('@'))?;
        check(keyword, &value)?;
        settings.insert(keyword, value);
    }
    Ok(settings)
}

/// The host list and the port list; `[...]` encloses an IPv6 address.
fn split_hosts(text: &str) -> Result<(String, String)> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for part in text.split(',') {
        let (host, port) = match part.strip_prefix('[') {
            Some(bracketed) => match bracketed.split_once(']') {
                Some((host, "")) => (host, ""),
                Some((host, tail)) if tail.starts_with(':') => (host, &tail[1..]),
                _ => {
                    return Err(
                        Error::new("an IPv6 address is not closed properly").with_hint("write [2001:db8::1]:5432")
                    )
                }
            },
            None => part.split_once(':').unwrap_or((part, "")),
        };
        if !port.is_empty() && !matches!(port.parse::<u16>(), Ok(1..)) {
            return Err(Error::new("the port is not a number from 1 to 65535").with_hint(
                "percent-encode `:`, `/`, `@` and `?` in the password, and put an IPv6 address in brackets",
            ));
        }
        hosts.push(decode(host, "the host")?);
        ports.push(port);
    }
    let ports = if ports.iter().all(|port| port.is_empty()) { String::new() } else { ports.join(",") };
    Ok((hosts.join(","), ports))
}

fn stray_at() -> Error {
    Error::new("an `@` stands where none can be")
        .with_hint("percent-encode special characters of the password: `@` is %40, `/` is %2F, `:` is %3A")
}

fn decode(text: &str, what: &str) -> Result<String> {
    let broken = || {
        Error::new(format!("a percent sign in {what} is not followed by two hexadecimal digits"))
            .with_hint("a percent sign itself is written %25")
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, tail @ ..] = rest else { return Err(broken()) };
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (Some(high), Some(low)) = (digit(*high), digit(*low)) else { return Err(broken()) };
        bytes.push(high * 16 + low);
        rest = tail;
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(Error::new(format!("{what} is not text in UTF-8 when its percent signs are decoded"))),
    }
}

/// `key = value` pairs between blanks; a value with blanks stands in single quotes, `\` escapes.
fn parse_pairs(text: &str) -> Result<Settings> {
    let mut settings = Settings::new();
    let mut rest = text.trim_start();
    let mut before = "";
    while !rest.is_empty() {
        let stop = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (key, tail) = rest.split_at(stop);
        let Some(tail) = tail.trim_start().strip_prefix('=') else {
            let place = if before.is_empty() { "at the start".to_owned() } else { format!("after `{before}`") };
            return Err(Error::new(format!("a word {place} has no `=`"))
                .with_hint("a value with blanks stands in single quotes: password='two words'"));
        };
        // A key after a password in two words may be the end of that password.
        let keyword = find_keyword(key, before != "password")?;
        let (value, tail) = take_value(tail.trim_start(), keyword)?;
        check(keyword, &value)?;
        settings.insert(keyword, value);
        before = keyword;
        rest = tail.trim_start();
    }
    Ok(settings)
}

fn take_value<'a>(text: &'a str, key: &str) -> Result<(String, &'a str)> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            _ if !quoted && c.is_whitespace() => return Ok((value, &text[at..])),
            _ => value.push(c),
        }
    }
    match quoted {
        true => Err(Error::new(format!("the quote of `{key}` is not closed"))),
        false => Ok((value, "")),
    }
}

fn find_keyword(key: &str, may_show: bool) -> Result<&'static str> {
    if let Some((keyword, _, _)) = KEYWORDS.iter().find(|(keyword, _, _)| *keyword == key) {
        return Ok(keyword);
    }
    let plain = key.len() <= 40 && !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !(may_show && plain) {
        return Err(Error::new("a parameter is unknown")
            .with_hint("quote a password in a key=value string, percent-encode it in a URL"));
    }
    let known: Vec<&str> = KEYWORDS.iter().map(|(keyword, _, _)| *keyword).collect();
    let lower = key.to_ascii_lowercase();
    let mut near = similar::get_close_matches(lower.as_str(), &known, 1, 0.6);
    let error = Error::new(format!("unknown parameter `{key}`"));
    Err(match (near.pop(), lower.as_str()) {
        (_, "username") => error.with_hint("did you mean `user`?"),
        (_, "database" | "db" | "name") => error.with_hint("did you mean `dbname`?"),
        (_, "schema" | "search_path" | "currentschema") => {
            error.with_hint("a setting of the session is given as options=-csearch_path=NAME")
        }
        (Some(keyword), _) => error.with_hint(format!("did you mean `{keyword}`?")),
        (None, _) => error,
    })
}

fn check(key: &str, value: &str) -> Result<()> {
    match KEYWORDS.iter().find(|(keyword, _, _)| *keyword == key) {
        Some((_, _, Only(allowed))) if !value.is_empty() && !allowed.contains(&value) => {
            let error = Error::new(format!("parameter `{key}` of libpq is not supported"));
            Err(match allowed {
                [] => error.with_hint("leave it out"),
                _ => error.with_hint(format!("leave it out, or give {}", allowed.join(" or "))),
            })
        }
        _ => Ok(()),
    }
}

/// The section `[name]` of the service file: PostgreSQL manual, "The Connection Service File".
fn read_service(name: &str, file: Option<String>, env: Env) -> Result<Settings> {
    let user_file = file.map(PathBuf::from).or_else(|| home(env).map(|home| home.join(".pg_service.conf")));
    let system_file = env("PGSYSCONFDIR").map(|dir| PathBuf::from(dir).join("pg_service.conf"));
    let doing = || format!("service \"{name}\"");
    for path in user_file.into_iter().chain(system_file) {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::new(format!("cannot read {}: {error}", path.display())).while_(doing())),
        };
        let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
        let mut lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        if !lines.any(|(_, line)| line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) == Some(name)) {
            continue;
        }
        let mut settings = Settings::new();
        for (number, line) in lines.take_while(|(_, line)| !line.starts_with('[')) {
            let place = || format!("{}:{number}", path.display());
            let Some((key, value)) = line.split_once('=') else {
                return Err(Error::new("the line has no `=`").while_(place()));
            };
            let keyword = find_keyword(key.trim(), true).map_err(|error| error.while_(place()))?;
            check(keyword, value.trim()).map_err(|error| error.while_(place()))?;
            settings.entry(keyword).or_insert_with(|| value.trim().to_owned());
        }
        return Ok(settings);
    }
    Err(Error::new(format!("the connection service \"{name}\" is defined in no service file"))
        .with_hint("look at ~/.pg_service.conf, or name the file in PGSERVICEFILE"))
}
