//! The password file: `host:port:database:user:password` lines, the first match wins.
//!
//! Source: PostgreSQL manual, "The Password File". A file that others can read is not used.

use std::fmt;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A secret: it has no `Display`, and its `Debug` hides it.
#[derive(Clone)]
pub(super) struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// One line of the file; the four fields are compared as written, `*` matches all.
#[derive(Clone, Debug)]
pub(super) struct Line {
    fields: [Field; 4],
    password: Password,
}

#[derive(Clone, Debug)]
enum Field {
    Any,
    Exactly(String),
}

/// Reads the file. Every reason not to use it leaves no lines, as in libpq; a reason that the user
/// should know is told on standard error.
pub(super) fn read(path: &Path) -> Vec<Line> {
    let warn = |why: &str| eprintln!("warning: password file {} {why}", path.display());
    let about = match std::fs::metadata(path) {
        Ok(about) => about,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Vec::new(),
        Err(error) => {
            warn(&format!("is not used: {error}"));
            return Vec::new();
        }
    };
    if !about.is_file() {
        warn("is not a plain file");
        return Vec::new();
    }
    if about.mode() & 0o077 != 0 {
        warn("has group or world access and is not used; permissions should be u=rw (0600) or less");
        return Vec::new();
    }
    match std::fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).lines().filter_map(parse).collect(),
        Err(error) => {
            warn(&format!("is not used: {error}"));
            Vec::new()
        }
    }
}

/// The password for this connection, if a line has one.
pub(super) fn find<'a>(lines: &'a [Line], host: &str, port: u16, database: &str, user: &str) -> Option<&'a Password> {
    let port = port.to_string();
    let wanted = [host, port.as_str(), database, user];
    let line = lines.iter().find(|line| {
        line.fields.iter().zip(wanted).all(|(field, wanted)| match field {
            Field::Any => true,
            Field::Exactly(text) => text == wanted,
        })
    })?;
    Some(&line.password).filter(|password| !password.0.is_empty())
}

/// `\` takes the next character as it is; as in libpq, an unescaped colon ends the password too.
fn parse(line: &str) -> Option<Line> {
    if line.starts_with('#') {
        return None;
    }
    let mut rest = line;
    let mut fields = [const { Field::Any }; 4];
    for field in &mut fields {
        let mut text = String::new();
        let mut chars = rest.char_indices();
        let end = loop {
            match chars.next()? {
                (_, '\\') => text.extend(chars.next().map(|(_, escaped)| escaped)),
                (at, ':') => break at,
                (_, c) => text.push(c),
            }
        };
        *field = if &rest[..end] == "*" { Field::Any } else { Field::Exactly(text) };
        rest = &rest[end + 1..];
    }
    let mut password = String::new();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => password.extend(chars.next()),
            ':' => break,
            _ => password.push(c),
        }
    }
    Some(Line { fields, password: Password(password) })
}
