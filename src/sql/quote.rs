//! Quoting of identifiers and literals. What is a keyword, PostgreSQL's own scanner decides.

use super::memo::{remembered, Memory};
use std::fmt;

/// An identifier that prints itself as SQL, quoted unless it is plain lower case and no keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ident<'a>(pub &'a str);

impl fmt::Display for Ident<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = !self.0.is_empty()
            && self.0.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && !self.0.starts_with(|c: char| c.is_ascii_digit())
            && !is_keyword(self.0);
        if plain {
            f.write_str(self.0)
        } else {
            write!(f, "\"{}\"", self.0.replace('"', "\"\""))
        }
    }
}

/// Whether a word is a keyword that may not stand for a name everywhere. Each word is scanned once.
fn is_keyword(word: &str) -> bool {
    thread_local! {
        static KNOWN: Memory<String, bool> = Memory::default();
    }
    remembered(&KNOWN, word, || scans_as_keyword(word))
}

fn scans_as_keyword(word: &str) -> bool {
    use pg_query::protobuf::KeywordKind;
    match pg_query::scan(word) {
        Ok(scan) => scan
            .tokens
            .iter()
            .any(|token| !matches!(token.keyword_kind(), KeywordKind::NoKeyword | KeywordKind::UnreservedKeyword)),
        Err(_) => true,
    }
}

/// `schema.name`, both quoted where needed.
pub fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", Ident(schema), Ident(name))
}

/// A string literal that reads the same under any `standard_conforming_strings`.
pub fn literal(text: &str) -> String {
    if text.contains('\\') {
        format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

#[cfg(test)]
mod tests {
    use super::{literal, Ident};

    #[test]
    fn quotes_what_needs_it() {
        let cases = [
            ("total", "total"),
            ("select", "\"select\""),
            ("a\"b", "\"a\"\"b\""),
            ("1a", "\"1a\""),
            ("Ab", "\"Ab\""),
            ("", "\"\""),
        ];
        for (name, sql) in cases {
            assert_eq!(Ident(name).to_string(), sql);
        }
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'b"), "E'a\\\\''b'");
    }
}
