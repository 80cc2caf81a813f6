//! Reads YAML so that nothing in it changes in silence.
//!
//! Every scalar is its source text: no types, no numbers, no booleans; and it knows where each of
//! its bytes stands in the file and whether YAML cut or folded what was written ([`Cut`]).
//! Built on the events of `saphyr-parser`: time and memory are linear in the file, nesting,
//! aliases and sizes are limited, and no input panics or overflows the stack.
//!
//! `source` turns bytes into checked text, `input` keeps the parser within bounds, `build` makes
//! the tree out of events, `scalar` finds each scalar in the source, `explain` words the parser's errors.

mod build;
mod explain;
mod input;
mod scalar;
mod source;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Pos, Problem};

/// A node and where it starts.
#[derive(Clone, Debug)]
pub struct Yaml {
    pub pos: Pos,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub enum Value {
    Scalar(Scalar),
    List(Vec<Yaml>),
    /// In the order of the file, no key twice.
    Map(Vec<(Scalar, Yaml)>),
}

/// Text as it was written: `1.10`, `0x1F` and `no` stay so.
#[derive(Clone, Debug)]
pub struct Scalar {
    pub text: String,
    pub style: Style,
    pub pos: Pos,
    pub cut: Option<Cut>,
    layout: Layout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    Quoted,
    /// `|` or `>`
    Block,
}

/// What in the source makes an unquoted scalar shorter than, or different from, what was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// A ` #` follows on the line: the rest of the line is a comment.
    Comment,
    /// It spans lines, and the line breaks became spaces.
    Fold,
    /// A key without a value after a comma in `{ }`: probably the rest of the value before the comma.
    FlowComma,
}

/// How the bytes of the text lie in the file.
#[derive(Clone, Copy, Debug)]
enum Layout {
    /// On one line, from this column.
    Line { column: u32 },
    /// Line by line, from this line, each indented by so many columns.
    Block { line: u32, indent: u32 },
    /// Changed by escapes or folding.
    Changed,
}

impl Scalar {
    /// A scalar that nobody wrote, at the position of something written.
    pub fn made(text: impl Into<String>, pos: &Pos) -> Self {
        Self { text: text.into(), style: Style::Quoted, pos: pos.clone(), cut: None, layout: Layout::Changed }
    }

    /// The same scalar with another text; positions inside it are lost.
    pub fn with_text(&self, text: impl Into<String>) -> Self {
        Self { text: text.into(), layout: Layout::Changed, ..self.clone() }
    }

    /// Whether this is NULL: an unquoted `null` or `~`, or nothing at all.
    pub fn is_null(&self) -> bool {
        self.style == Style::Plain && matches!(self.text.as_str(), "" | "~" | "null")
    }

    /// Where in the file a byte of `text` stands; the start of the scalar if escapes or folding
    /// moved it. An offset beyond the text counts as its end.
    pub fn position_of(&self, byte_offset: usize) -> Pos {
        let before = &self.text.as_bytes()[..byte_offset.min(self.text.len())];
        let (line, column, on_line) = match self.layout {
            Layout::Changed => return self.pos.clone(),
            Layout::Line { column } => (self.pos.line, column, before),
            Layout::Block { line, indent } => {
                let breaks = before.iter().filter(|byte| **byte == b'\n').count();
                let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                (line.saturating_add(narrow(breaks)), indent.saturating_add(1), &before[start..])
            }
        };
        let chars = on_line.iter().filter(|byte| **byte & 0xC0 != 0x80).count();
        Pos { file: self.pos.file.clone(), line, column: column.saturating_add(narrow(chars)) }
    }
}

/// Reads one file. An empty file is an empty map. `None` means that the file cannot be read any
/// further; a tree may come with problems too (it then lacks the parts that they are about).
pub fn read(file: &Arc<PathBuf>, bytes: &[u8], problems: &mut Vec<Problem>) -> Option<Yaml> {
    let first = problems.len();
    let tree = match source::text(file, bytes) {
        Ok(text) => build::tree(file, &text, problems),
        Err(problem) => {
            problems.push(problem);
            None
        }
    };
    if let Some(found) = problems.get_mut(first..) {
        found.sort();
    }
    tree
}

/// Lines and columns are u32: files are limited to far less.
fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
