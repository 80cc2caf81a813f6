//! Words the parser's errors for people who write SQL in YAML.

use std::path::PathBuf;
use std::sync::Arc;

use saphyr_parser::ScanError;

use super::narrow;
use crate::error::{Pos, Problem};

/// What the parser says contains, what we say (empty: the parser's words), what to do. First match.
const WORDS: &[(&str, &str, &str)] = &[
    ("tab", "a tab where YAML allows only spaces", "indent with spaces"),
    (
        "invalid trailing content after",
        "text after a closing quote",
        "a value that starts with a quote must end with it: put all of it in quotes or in a block (`|`)",
    ),
    (
        "mapping values are not allowed",
        "a `: ` inside a value, or a key at a wrong indentation",
        "put a value that holds `: ` in quotes or in a block (`|`), or align the key with its neighbours",
    ),
    (
        "comment intercepting",
        "a `#` comment inside a value of several lines",
        "a ` #` starts a comment: write the value as a block (`|`) or in quotes",
    ),
    ("unexpected end of stream", "a quoted value without its closing quote", "add the closing quote"),
    ("unexpected document indicator", "a quoted value without its closing quote", "add the closing quote"),
    (
        "unknown escape",
        "an unknown escape in double quotes",
        "write `\\\\` for a backslash, or use single quotes, where it stands for itself",
    ),
    (
        "hexadecimal",
        "an incomplete escape in double quotes",
        "write `\\\\` for a backslash, or use single quotes, where it stands for itself",
    ),
    (
        "invalid Unicode character",
        "an escape in double quotes that is no character",
        "write `\\\\` for a backslash, or use single quotes, where it stands for itself",
    ),
    (
        "unknown anchor",
        "an alias of an anchor that was not set before",
        "`*name` repeats what `&name` marked earlier in the file; put text that starts with `*` in quotes",
    ),
    (
        "anchor or alias",
        "an anchor or alias without a name",
        "put text that starts with `*` or `&` in quotes or in a block (`|`)",
    ),
    (
        "unexpected character",
        "a value cannot start with this character",
        "put text that starts with `%`, `@` or a backquote in quotes or in a block (`|`)",
    ),
    (
        "simple key expect",
        "expected `key: value`",
        "is the `:` missing, or does the line belong to the value above and need more indentation?",
    ),
    (
        "did not find expected key",
        "expected `key: value`",
        "align the keys of a map, and put a value that starts with a quote, `[` or `{` in quotes or in a block (`|`)",
    ),
    (
        "did not find expected '-'",
        "expected another `- ` item of the list",
        "align the items of a list, and indent keys that belong to an item below it",
    ),
    ("flow", "", "close what `[` or `{` opened; put text that holds brackets or braces in quotes"),
    ("misplaced bracket", "a closing bracket that nothing opened", "put text that starts with a bracket in quotes"),
    ("recursion limit", "nested too deeply", "64 levels are allowed"),
    ("expected <document start>", "text after the end of the document", "check the indentation of this line"),
    ("the handle wasn't declared", "a tag", "leave tags out: every value is read as the text that it is"),
    ("a tag", "", "put text that starts with `!` in quotes"),
    ("comments must be separated", "a `#` right after a value", "put a space before a comment, or quote the text"),
    ("block scalar", "", "indent all lines of a block equally, deeper than its key, and with spaces"),
    ("indentation", "", "align this line with its neighbours; only spaces indent"),
];

const OTHERWISE: &str = "put text that holds YAML punctuation in quotes, or write it as a block (`|`)";

pub fn problem(file: &Arc<PathBuf>, error: &ScanError) -> Problem {
    let at = error.marker();
    let pos = Pos { file: file.clone(), line: narrow(at.line().max(1)), column: narrow(at.col() + 1) };
    let found = WORDS.iter().find(|(said, _, _)| error.info().contains(said));
    let (message, hint) = match found {
        Some((_, "", hint)) => (error.info(), *hint),
        Some((_, message, hint)) => (*message, *hint),
        None => (error.info(), OTHERWISE),
    };
    Problem::new(&pos, format!("not valid YAML: {message}")).hint(hint)
}
