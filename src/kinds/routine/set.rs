//! Settings of a routine (SET name TO value): what `pg_proc.proconfig` holds, what SQL says, what YAML says.
//!
//! Some settings are lists of names, which PostgreSQL quotes one by one (GUC_LIST_QUOTE in its sources).

use crate::sql::{literal, Ident};

const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

fn is_list(name: &str) -> bool {
    LISTS.iter().any(|list| name.eq_ignore_ascii_case(list))
}

/// `SET name TO value` for a `name=value`.
pub fn clause(setting: &str) -> String {
    let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
    let name = name.split('.').map(|part| Ident(part).to_string()).collect::<Vec<_>>().join(".");
    let value = match elements(value) {
        Some(elements) if is_list(&name) && !elements.is_empty() => {
            elements.iter().map(|e| literal(e)).collect::<Vec<_>>().join(", ")
        }
        _ => literal(value),
    };
    format!("SET {name} TO {value}")
}

/// `name=value` from what was written; None if it is no value.
pub fn stored(name: &str, written: &str) -> Option<String> {
    if is_list(name) {
        let each: Vec<String> = elements(written)?.iter().map(|e| Ident(e).to_string()).collect();
        return Some(format!("{name}={}", each.join(", ")));
    }
    let written = written.trim();
    match quoted(written) {
        Some((value, "")) => Some(format!("{name}={value}")),
        Some(_) => None,
        None => Some(format!("{name}={written}")),
    }
}

/// The value as YAML has it.
pub fn written(setting: &str) -> (&str, String) {
    let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
    if is_list(name) {
        let one = |e: &String| if e.is_empty() { "''".to_owned() } else { Ident(e).to_string() };
        let elements = elements(value).filter(|e| !e.is_empty()).unwrap_or_else(|| vec![String::new()]);
        return (name, elements.iter().map(one).collect::<Vec<_>>().join(", "));
    }
    let plain =
        !value.is_empty() && value.trim() == value && quoted(value).is_none() && !value.starts_with(['\'', '"']);
    (name, if plain { value.to_owned() } else { literal(value) })
}

/// The names in a list: words fold to lower case, quoted ones are as they are.
fn elements(text: &str) -> Option<Vec<String>> {
    let mut elements = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (element, after) = match quoted(rest) {
            Some(found) => found,
            None if rest.starts_with(['\'', '"']) => return None,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].trim().to_lowercase(), &rest[end..])
            }
        };
        elements.push(element);
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(more) if !more.trim().is_empty() => more.trim(),
            None if after.is_empty() => after,
            Some(_) | None => return None,
        };
    }
    Some(elements)
}

/// What a text quoted with `'`, `"` or `E'` holds, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (quote, escapes, inner) = match text.strip_prefix(['E', 'e']).and_then(|t| t.strip_prefix('\'')) {
        Some(inner) => ('\'', true, inner),
        None => (text.chars().next().filter(|c| matches!(c, '\'' | '"'))?, false, text.get(1..)?),
    };
    let mut value = String::new();
    let mut chars = inner.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && escapes {
            value.extend(chars.next().map(|(_, c)| c));
        } else if c != quote {
            value.push(c);
        } else if chars.next_if(|(_, next)| *next == quote).is_some() {
            value.push(quote);
        } else {
            return Some((value, inner.get(at + 1..)?.trim_start()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_back() {
        let cases = [
            ("search_path", "''", "search_path=\"\"", "''", "SET search_path TO ''"),
            (
                "search_path",
                "App, \"My S\", $user",
                "search_path=app, \"My S\", \"$user\"",
                "app, \"My S\", \"$user\"",
                "SET search_path TO 'app', 'My S', '$user'",
            ),
            ("work_mem", "'64MB'", "work_mem=64MB", "64MB", "SET work_mem TO '64MB'"),
            ("app.tenant", "E'a\\\\b'", "app.tenant=a\\b", "a\\b", "SET app.tenant TO E'a\\\\b'"),
            ("app.tenant", "''", "app.tenant=", "''", "SET app.tenant TO ''"),
            ("app.tenant", "'''x'", "app.tenant='x", "'''x'", "SET app.tenant TO '''x'"),
            ("DateStyle", "ISO, DMY", "DateStyle=ISO, DMY", "ISO, DMY", "SET \"DateStyle\" TO 'ISO, DMY'"),
        ];
        for (name, text, raw, yaml, sql) in cases {
            assert_eq!(stored(name, text).as_deref(), Some(raw));
            assert_eq!(written(raw), (name, yaml.to_owned()));
            assert_eq!(stored(name, yaml).as_deref(), Some(raw));
            assert_eq!(clause(raw), sql);
        }
        assert_eq!(stored("search_path", "a,,"), None);
        assert_eq!(stored("work_mem", "'x' y"), None);
    }
}
