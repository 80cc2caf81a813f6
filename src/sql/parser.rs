//! The one place where `pg_query` is called: syntax, tokens and parse trees.

use super::fragment::Mistake;
use super::memo::{remembered, Memory};
use serde_json::Value;
use std::borrow::Cow;

/// One token of a text.
#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    pub text: &'a str,
    pub start: usize,
    pub end: usize,
}

/// The tokens of a text, comments left out.
pub fn tokens(text: &str) -> Result<Vec<Token<'_>>, Mistake> {
    use pg_query::protobuf::Token as Kind;
    if text.contains('\0') {
        return Err(Mistake {
            offset: text.find('\0').unwrap_or(0),
            message: "a NUL byte is not allowed in SQL".into(),
        });
    }
    // The scanner's list of no tokens is a null pointer that the crate does not expect.
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let scanned = pg_query::scan_tokens(text).map_err(|error| Mistake { offset: 0, message: words(&error) })?;
    Ok(scanned
        .iter()
        .filter(|t| !matches!(t.token(), Kind::SqlComment | Kind::CComment))
        .filter_map(|t| {
            let (start, end) = (usize::try_from(t.start).ok()?, usize::try_from(t.end).ok()?);
            Some(Token { text: text.get(start..end)?, start, end })
        })
        .collect())
}

/// A statement without the values in it: what stands for each is `?`. One that is no SQL is left out.
pub fn without_values(statement: &str) -> String {
    let Ok(tokens) = tokens(statement) else { return "?".into() };
    let is_value = |text: &str| {
        let quoted = ["'", "e'", "b'", "x'", "n'", "u&'", "$"]
            .iter()
            .any(|start| text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)));
        quoted || text.starts_with(|c: char| c.is_ascii_digit())
    };
    let mut text = String::with_capacity(statement.len());
    let mut at = 0;
    for token in tokens.iter().filter(|token| is_value(token.text)) {
        text.push_str(statement.get(at..token.start).unwrap_or_default());
        text.push('?');
        at = token.end;
    }
    text.push_str(statement.get(at..).unwrap_or_default());
    text
}

/// Whether a statement parses. A tree too deep for the parse tree's reader counts as valid: the
/// server decides.
pub fn syntax(statement: &str) -> Result<(), Mistake> {
    match pg_query::parse(statement, pg_query::ParserOptions::DEFAULT) {
        Ok(_) | Err(pg_query::Error::Decode(_)) => Ok(()),
        Err(error) => {
            let message = words(&error);
            Err(Mistake { offset: error_offset(statement, &message), message })
        }
    }
}

/// An expression as DEFAULT takes it in a definition: in brackets if it holds what the grammar (`b_expr`) does not
/// allow there, such as AT TIME ZONE, which a clause behind it could begin with.
pub fn bracketed(expression: &str) -> Cow<'_, str> {
    thread_local! {
        static BARE: Memory<String, bool> = Memory::default();
    }
    // The first operand of POSITION is of the same rule, and nothing can be taken for a clause of its own there.
    let parses = || syntax(&format!("SELECT position({expression}\n IN '')")).is_ok();
    if remembered(&BARE, expression, parses) {
        Cow::Borrowed(expression)
    } else {
        Cow::Owned(format!("({expression})"))
    }
}

/// How many statements a text holds; None if it does not parse.
pub fn statements(text: &str) -> Option<usize> {
    pg_query::split_with_parser(text).ok().map(|found| found.len())
}

/// The parse tree as a generic value; None if the text does not parse or is too deep to read.
pub fn tree(statement: &str) -> Option<Value> {
    let parsed = pg_query::parse(statement, pg_query::ParserOptions::DEFAULT).ok()?;
    serde_json::to_value(parsed.protobuf).ok()
}

/// The typed tree of the first statement.
pub fn statement(text: &str) -> Option<pg_query::NodeEnum> {
    let parsed = pg_query::parse(text, pg_query::ParserOptions::DEFAULT).ok()?;
    parsed.protobuf.stmts.into_iter().next()?.stmt?.node
}

fn words(error: &pg_query::Error) -> String {
    let text = error.to_string();
    match text.split_once(": ") {
        Some((_, message)) => message.to_owned(),
        None => text,
    }
}

/// Where `at or near "x"` is. The parser reads left to right, so the token it complains about is the
/// first one up to which the text is still only incomplete and with which it is wrong.
fn error_offset(statement: &str, message: &str) -> usize {
    let Some(near) = message.split_once("at or near \"").map(|(_, rest)| rest.trim_end_matches('"')) else {
        return statement.trim_end().len();
    };
    let Ok(tokens) = tokens(statement) else { return 0 };
    let candidates: Vec<_> = tokens.iter().filter(|t| near.starts_with(t.text) || t.text.starts_with(near)).collect();
    if let [one] = candidates.as_slice() {
        return one.start;
    }
    for token in &candidates {
        let with = pg_query::parse(&statement[..token.end], pg_query::ParserOptions::DEFAULT);
        if with.is_err_and(|error| words(&error) == *message) {
            return token.start;
        }
    }
    candidates.first().map_or(0, |t| t.start)
}

#[cfg(test)]
mod tests {
    use super::bracketed;

    #[test]
    fn defaults_are_bracketed_where_the_grammar_wants_it() {
        for plain in [
            "0",
            "-1",
            "now()",
            "'a'::text",
            "now() + '1 day'",
            "ARRAY[]::text[]",
            "(now() at time zone 'utc')",
            "CURRENT_DATE",
            "1 -- one",
        ] {
            assert_eq!(bracketed(plain), plain);
        }
        for open in
            ["now() at time zone 'utc'", "not true", "1 in (1)", "'a' collate \"C\"", "1 between 0 and 2", "1 is null"]
        {
            assert_eq!(bracketed(open), format!("({open})"));
        }
    }
}
