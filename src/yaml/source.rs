//! From bytes to text that the parser can be trusted with, and a way around in it.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use saphyr_parser::Marker;

use super::narrow;
use crate::error::{Pos, Problem};

const MAX_BYTES: usize = 64 << 20;
const BOM: &str = "\u{FEFF}";

/// Text with `\n` line breaks, the last line ended, no BOM and no control characters.
pub fn text<'a>(file: &Arc<PathBuf>, bytes: &'a [u8]) -> Result<Cow<'a, str>, Problem> {
    let start = Pos { file: file.clone(), line: 1, column: 1 };
    if bytes.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, more than the limit of 64 MiB", bytes.len());
        return Err(Problem::new(&start, message).hint("split the declaration into several files"));
    }
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(Problem::new(&start, "the file is not UTF-8 but UTF-16").hint("save it as UTF-8"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let (valid, rest) = bytes.split_at(error.valid_up_to());
        let valid = std::str::from_utf8(valid).unwrap_or_default();
        let byte = rest.first().copied().unwrap_or_default();
        Problem::new(&end_of(file, valid), format!("the file is not UTF-8: byte 0x{byte:02X}"))
            .hint("save the file as UTF-8; a YAML file holds text only")
    })?;
    let text = text.strip_prefix(BOM).unwrap_or(text);
    if let Some(at) = text.bytes().position(|byte| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')) {
        let byte = text.as_bytes()[at];
        let name = if byte == 0 { "a NUL byte".to_owned() } else { format!("control character 0x{byte:02X}") };
        return Err(Problem::new(&end_of(file, &text[..at]), format!("{name} in the file"))
            .hint("a YAML file holds text only; in text write it as an escape in double quotes, such as \"\\x1B\""));
    }
    let mut text = Cow::Borrowed(text);
    if text.contains('\r') {
        text = Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"));
    }
    if !text.ends_with('\n') {
        text.to_mut().push('\n');
    }
    Ok(text)
}

/// The position just behind `text`.
fn end_of(file: &Arc<PathBuf>, text: &str) -> Pos {
    let text = text.strip_prefix(BOM).unwrap_or(text);
    let line = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Pos { file: file.clone(), line: narrow(line), column: narrow(column) }
}

/// The text of a file, with the way from the parser's marks to places and positions in it.
///
/// Marks count characters; they come in order but for small steps back, so walking to each from the
/// one before is linear in all.
pub struct Source<'a> {
    pub file: &'a Arc<PathBuf>,
    pub text: &'a str,
    chars: usize,
    byte: usize,
}

impl<'a> Source<'a> {
    pub fn new(file: &'a Arc<PathBuf>, text: &'a str) -> Self {
        Self { file, text, chars: 0, byte: 0 }
    }

    pub fn place(&mut self, at: Marker) -> Place {
        Place { byte: self.byte_of(at), line: at.line().max(1), column: at.col() }
    }

    /// The byte offset of a mark; the end of the text if it lies beyond.
    pub fn byte_of(&mut self, at: Marker) -> usize {
        let chars = at.index();
        if chars >= self.chars {
            let (rest, steps) = (&self.text[self.byte..], chars - self.chars);
            self.byte += rest.char_indices().nth(steps).map_or(rest.len(), |(byte, _)| byte);
        } else {
            let back = self.chars - chars;
            let before = &self.text[..self.byte];
            self.byte = before.char_indices().rev().nth(back - 1).map_or(0, |(byte, _)| byte);
        }
        self.chars = chars;
        self.byte
    }

    pub fn pos(&self, at: Marker) -> Pos {
        self.pos_of(Place { byte: 0, line: at.line().max(1), column: at.col() })
    }

    pub fn pos_of(&self, place: Place) -> Pos {
        Pos { file: self.file.clone(), line: narrow(place.line), column: narrow(place.column + 1) }
    }
}

/// A place in the text: line from 1, column from 0 as the parser counts.
#[derive(Clone, Copy)]
pub struct Place {
    pub byte: usize,
    pub line: usize,
    pub column: usize,
}

impl Place {
    /// Moves over characters.
    pub fn skip(&mut self, text: &str, mut which: impl FnMut(char) -> bool) {
        for c in text[self.byte..].chars() {
            if !which(c) {
                return;
            }
            self.byte += c.len_utf8();
            self.column += 1;
            if c == '\n' {
                self.line += 1;
                self.column = 0;
            }
        }
    }

    /// Moves over the `&anchor` and `!tag` before a node, with the spaces and comments after them.
    pub fn skip_properties(&mut self, text: &str) {
        while text[self.byte..].starts_with(['&', '!']) {
            self.skip(text, |c| !c.is_ascii_whitespace());
            self.skip(text, |c| c.is_ascii_whitespace());
            while text[self.byte..].starts_with('#') {
                self.skip(text, |c| c != '\n');
                self.skip(text, |c| c.is_ascii_whitespace());
            }
        }
    }
}
