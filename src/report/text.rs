//! Text that is safe where it goes: terminals, JSON, Markdown.
//!
//! What a terminal or a browser would act on rather than show is written as an escape: control
//! characters (C0, DEL, C1), and the marks that reorder or hide text (CVE-2021-42574).

use std::borrow::Cow;

fn is_hostile(c: char) -> bool {
    let reorders = matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let invisible = matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    c.is_control() || reorders || invisible
}

fn escaped(text: &str, keep: impl Fn(char) -> bool, write: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.chars().any(|c| is_hostile(c) && !keep(c)) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hostile(c) && !keep(c) {
            write(c, &mut safe);
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// For one line: line breaks and tabs are escaped too.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false, |c, safe| safe.extend(c.escape_default()))
}

/// For a block: line breaks and tabs stay.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c == '\n' || c == '\t', |c, safe| safe.extend(c.escape_default()))
}

/// Whether a block holds what [`lines`] would change.
pub fn is_plain(text: &str) -> bool {
    matches!(lines(text), Cow::Borrowed(_))
}

/// Pretty JSON. Serde leaves DEL and C1 as they are; they only ever stand in strings.
pub fn json<T: serde::Serialize>(value: &T) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let escape = |c: char, safe: &mut String| {
        let mut units = [0; 2];
        safe.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
    };
    format!("{}\n", escaped(&text, |c| c == '\n', escape))
}

/// Prose in Markdown, on one line: nothing in it is markup.
pub fn prose(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    for c in line(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '@' | '&' | '$') {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

/// A name or expression in Markdown, in a paragraph or list.
pub fn code(text: &str) -> String {
    let text = line(text);
    let fence = "`".repeat(longest_run(&text) + 1);
    // A blank keeps backticks at the rim apart from the fence; Markdown takes it away again.
    let blank = if text.starts_with('`') || text.ends_with('`') || text.is_empty() { " " } else { "" };
    format!("{fence}{blank}{text}{blank}{fence}")
}

/// The same in a cell of a table.
pub fn cell(text: &str) -> String {
    code(text).replace('|', r"\|")
}

/// A fenced block in Markdown.
pub fn block(language: &str, text: &str) -> String {
    let text = lines(text);
    let fence = "`".repeat(longest_run(&text).max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end_matches('\n'))
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// `1 row`, `2 rows`.
pub fn count(n: usize, one: &str) -> String {
    match (n, one.strip_suffix('y'), one.ends_with('x')) {
        (1, _, _) => format!("1 {one}"),
        (_, Some(stem), _) if !one.ends_with("ey") => format!("{n} {stem}ies"),
        (_, _, true) => format!("{n} {one}es"),
        _ => format!("{n} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::{block, cell, code, count, json, line, lines, prose};

    #[test]
    fn nothing_reaches_a_terminal_raw() {
        let hostile = "a\n\u{1b}[2J\r\u{9b}31m\u{202e}\u{7f}\0";
        assert_eq!(line(hostile), r"a\n\u{1b}[2J\r\u{9b}31m\u{202e}\u{7f}\u{0}");
        assert_eq!(lines(hostile), "a\n\\u{1b}[2J\\r\\u{9b}31m\\u{202e}\\u{7f}\\u{0}");
        assert_eq!(json(&"\u{9b}\n\u{1b}\u{202e}"), "\"\\u009b\\n\\u001b\\u202e\"\n");
        assert_eq!(line("naïve – 表 🐘"), "naïve – 表 🐘");
    }

    #[test]
    fn markdown_stays_text() {
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(cell("a|b"), r"`a\|b`");
        assert_eq!(prose("<b>*x*|`@me"), r"\<b\>\*x\*\|\`\@me");
        assert_eq!(block("sql", "a\n```\nb\n"), "````sql\na\n```\nb\n````\n");
    }

    #[test]
    fn words_for_numbers() {
        assert_eq!([count(1, "index"), count(2, "index"), count(3, "policy")], ["1 index", "2 indexes", "3 policies"]);
        assert_eq!([count(2, "foreign key"), count(0, "check")], ["2 foreign keys", "0 checks"]);
        assert_eq!([count(2, "row security"), count(2, "extension")], ["2 row securities", "2 extensions"]);
    }
}
