//! YAML as people write it, and as every reader takes it: the text of a declaration.
//!
//! serde_yaml breaks lines at U+0085, U+2028 and U+2029 as YAML 1.1 did, and knows neither blocks for bodies
//! nor short lists on one line; so the values are serde_yaml's and the text is made here. A scalar is plain
//! only where no reader could see anything else in it, a `|` block where it has lines, else quoted; what is
//! not printable is escaped. Nothing is ever folded or followed by a comment.

use serde_yaml::{Mapping, Value};
use std::fmt::Write;

/// Lists stay on one line up to this column.
const WIDTH: usize = 100;
/// Beyond 1024 characters a key is no simple key (YAML 1.2.2, section 7.4.2).
const SIMPLE_KEY: usize = 1000;

/// Writes a map's entries, each line indented by so many columns.
pub fn map(out: &mut String, entries: &Mapping, indent: usize) {
    for (key, value) in entries {
        entry(out, &inline(key), value, indent);
    }
}

/// Writes `key: value`; the key is a plain text.
pub fn named(out: &mut String, key: &str, value: &Value, indent: usize) {
    entry(out, &text(key), value, indent);
}

fn entry(out: &mut String, key: &str, value: &Value, indent: usize) {
    let start = out.len();
    pad(out, indent);
    if key.len() > SIMPLE_KEY {
        out.push_str("? ");
        out.push_str(key);
        out.push('\n');
        pad(out, indent);
    } else {
        out.push_str(key);
    }
    out.push(':');
    match value {
        Value::Mapping(entries) if !entries.is_empty() => {
            out.push('\n');
            map(out, entries, indent + 2);
        }
        Value::Sequence(values) if !values.is_empty() => match flow(values, WIDTH.saturating_sub(out.len() - start)) {
            Some(line) => {
                let _ = writeln!(out, " {line}");
            }
            None => {
                out.push('\n');
                list(out, values, indent + 2);
            }
        },
        Value::String(lines) if is_block(lines) => block(out, lines, indent + 2),
        value => {
            let _ = writeln!(out, " {}", inline(value));
        }
    }
}

fn list(out: &mut String, values: &[Value], indent: usize) {
    for value in values {
        pad(out, indent);
        out.push_str("- ");
        match value {
            Value::Mapping(entries) if !entries.is_empty() => {
                let mut inner = String::new();
                map(&mut inner, entries, indent + 2);
                out.push_str(inner.trim_start_matches(' '));
            }
            value => {
                out.push_str(&inline(value));
                out.push('\n');
            }
        }
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// A list on one line, if it fits.
fn flow(values: &[Value], room: usize) -> Option<String> {
    if values.iter().any(|v| matches!(v, Value::Mapping(_) | Value::Sequence(_))) {
        return None;
    }
    let line = format!("[{}]", values.iter().map(within_flow).collect::<Vec<_>>().join(", "));
    (line.chars().count() < room).then_some(line)
}

/// A scalar within brackets, where commas and brackets end it.
fn within_flow(value: &Value) -> String {
    match value {
        Value::String(word) => {
            let plain = word.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ' | '.' | '/'));
            if plain {
                text(word)
            } else {
                quoted(word)
            }
        }
        value => inline(value),
    }
}

/// A value on one line.
fn inline(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(string) => text(string),
        Value::Sequence(values) => format!("[{}]", values.iter().map(within_flow).collect::<Vec<_>>().join(", ")),
        Value::Mapping(entries) => {
            let each = entries.iter().map(|(key, value)| format!("{}: {}", within_flow(key), within_flow(value)));
            format!("{{{}}}", each.collect::<Vec<_>>().join(", "))
        }
        Value::Tagged(tagged) => inline(&tagged.value),
    }
}

/// A text on one line, quoted where it has to be.
fn text(text: &str) -> String {
    if is_plain(text) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// Whether a text can stand without quotes.
fn is_plain(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(char::is_whitespace);
    let mut chars = text.chars();
    let (first, last) = (chars.next(), chars.next_back().or(text.chars().next()));
    let indicator = first.is_some_and(|c| "-?:,[]{}#&*!|>'\"%@`=~<".contains(c));
    !edge(first)
        && !edge(last)
        && !indicator
        && last != Some(':')
        && text.chars().all(|c| is_printable(c) && c != '\n' && c != '\t')
        && !text.contains(": ")
        && !text.contains(" #")
        && !looks_typed(text)
}

/// Whether some reader would take the text for a number, a date, a boolean or nothing.
fn looks_typed(text: &str) -> bool {
    const WORDS: [&str; 8] = ["null", "true", "false", "yes", "no", "on", "off", "nan"];
    let number = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '+'))
        && text
            .chars()
            .all(|c| c.is_ascii_hexdigit() || matches!(c, '.' | '+' | '-' | '_' | ':' | 'x' | 'o' | 'T' | 'Z' | ' '));
    number || WORDS.iter().any(|word| word.eq_ignore_ascii_case(text)) || text.starts_with('.')
}

/// Whether the character stands for itself in YAML and is seen for what it is: no control, no line break of
/// any kind, no mark that turns the direction of the text.
fn is_printable(c: char) -> bool {
    match c {
        '\n' | '\t' => true,
        '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => false,
        '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}' => false,
        c => !c.is_control(),
    }
}

/// The text in quotes, on one line.
fn quoted(text: &str) -> String {
    if text.chars().any(|c| c == '\n' || c == '\t' || !is_printable(c)) {
        return escaped(text);
    }
    if text.contains(['"', '\\']) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    format!("\"{text}\"")
}

fn escaped(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        let _ = match c {
            '"' => out.write_str("\\\""),
            '\\' => out.write_str("\\\\"),
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            c if is_printable(c) => out.write_char(c),
            c => match u32::from(c) {
                code @ 0..=0xFF => write!(out, "\\x{code:02X}"),
                code @ 0x100..=0xFFFF => write!(out, "\\u{code:04X}"),
                code => write!(out, "\\U{code:08X}"),
            },
        };
    }
    out.push('"');
    out
}

/// Whether a text is one for a `|` block: it has lines, each is seen for what it is, and empty lines at the
/// end do not run into those that follow the block.
fn is_block(text: &str) -> bool {
    text.contains('\n') && !text.ends_with("\n\n") && !text.trim().is_empty() && text.chars().all(is_printable)
}

fn block(out: &mut String, text: &str, indent: usize) {
    // What the reader would take for indentation has to be told apart from it.
    let first = text.lines().find(|line| !line.is_empty()).unwrap_or_default();
    let indicator = if first.starts_with([' ', '\t']) { "2" } else { "" };
    let chomp = if text.ends_with('\n') { "" } else { "-" };
    let _ = writeln!(out, " |{indicator}{chomp}");
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        if !line.is_empty() {
            pad(out, indent);
        }
        out.push_str(line);
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;
    use std::sync::Arc;

    /// What a text becomes as a key, as a value and in a list.
    fn round(word: &str) -> Vec<String> {
        let mut inner = Mapping::new();
        inner.insert("first".into(), word.into());
        inner.insert(format!("k{word}").into(), Value::Sequence(vec![word.into(), "x".into()]));
        inner.insert("long".into(), Value::Sequence(vec![word.into(), "y".repeat(WIDTH).into()]));
        inner.insert("last".into(), "z".into());
        let mut out = String::new();
        let mut outer = Mapping::new();
        outer.insert("outer".into(), Value::Mapping(inner));
        map(&mut out, &outer, 0);
        let mut problems = Vec::new();
        let tree = yaml::read(&Arc::new("t.yaml".into()), out.as_bytes(), &mut problems);
        assert!(problems.is_empty(), "{word:?}: {problems:?}\n{out}");
        let again: Value = serde_yaml::from_str(&out).unwrap_or_else(|error| panic!("{word:?}: {error}\n{out}"));
        assert_eq!(again, Value::Mapping(outer), "{out}");
        let mut found = Vec::new();
        let inner = tree.as_ref().and_then(|t| t.get("outer"));
        for (key, value) in inner.into_iter().flat_map(yaml::Yaml::entries) {
            found.push(key.text.clone());
            let scalars = value.scalar().into_iter().chain(value.values().iter().filter_map(yaml::Yaml::scalar));
            for scalar in scalars {
                assert!(scalar.cut.is_none() && !scalar.is_null(), "{word:?}\n{out}");
                found.push(scalar.text.clone());
            }
        }
        found
    }

    fn assert_round(word: &str) {
        let key = format!("k{word}");
        let long = "y".repeat(WIDTH);
        assert_eq!(round(word), ["first", word, &key, word, "x", "long", word, &long, "last", "z"]);
    }

    #[test]
    fn texts_read_back() {
        let long = "x, ".repeat(500);
        let words = [
            "",
            "a",
            "null",
            "~",
            "no",
            "1.10",
            "0x1F",
            "2024-01-01",
            "a: b",
            "a #b",
            "a:",
            "- a",
            "[a]",
            "'a'",
            "\"a\"",
            " a",
            "a ",
            "a\nb",
            "a\nb\n",
            "a\nb\n\n",
            "\n",
            "\na\n",
            "\n\n  a\nb\n",
            "  a\nb",
            "\ta\nb",
            "a\n\n\nb",
            "a\n  ",
            "a\n \nb\n",
            "a\r\nb",
            "a\u{85}b",
            "a\u{2028}b\nc",
            "\u{FEFF}a",
            "a\u{1}b",
            "\u{A0}a\u{A0}",
            "é ü",
            "\\",
            "\\n",
            "a\\b\"c'd",
            "---",
            "...",
            "a\n---\nb\n",
            "a\n...\nb",
            "#",
            "a#b",
            "%a",
            "@a",
            "`a`",
            "? a",
            "?",
            ":",
            "=",
            "<<",
            "!a",
            "&a",
            "*a",
            "|",
            ">",
            "{}",
            "a, b",
            "a,b]",
            "f(a integer DEFAULT 'x'::text)",
            "\"F\"(a text)",
            "\u{10FFFF}",
            "\u{1F600}",
            "a\tb",
            "a\n\tb\n",
            " \n a",
            "a\n ",
            "\u{200E}a",
            "a\n# b\nc\n",
            "+1",
            ".5",
            "1:30",
            "-",
            &long,
        ];
        words.into_iter().for_each(assert_round);
    }

    #[test]
    fn any_mixture_reads_back() {
        let parts = [
            "a", "b c", "\n", " ", "\t", ":", "#", "'", "\"", "\\", "-", "|", "\r", "\u{85}", "{", "]", ",",
            "\u{2029}", "%",
        ];
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let mut word = String::new();
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut rest = state >> 20;
            for _ in 0..(state >> 60) {
                word.push_str(parts[usize::try_from(rest % 19).unwrap_or(0)]);
                rest = rest.rotate_left(23).wrapping_mul(7);
            }
            assert_round(&word);
        }
    }

    #[test]
    fn it_looks_as_people_write() {
        let value = |text: &str| serde_yaml::from_str::<Mapping>(text).unwrap_or_default();
        let mut out = String::new();
        map(
            &mut out,
            &value("{t: {labels: [a, 'b, c'], default: \"'x'\", 'sel \"q\"': \"a\\nb\\n\", n: 5, none: {}}}"),
            0,
        );
        let wanted =
            "t:\n  labels: [a, \"b, c\"]\n  default: \"'x'\"\n  sel \"q\": |\n    a\n    b\n  n: 5\n  none: {}\n";
        assert_eq!(out, wanted);
    }
}
