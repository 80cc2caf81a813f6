//! Looks at the source of a scalar: where its text lies, and what YAML did to it.

use saphyr_parser::{ScalarStyle, Span};

use super::source::{Place, Source};
use super::{narrow, Cut, Layout, Scalar, Style};

/// What stands where nothing was written, and the character there.
pub fn absent(source: &mut Source<'_>, span: Span) -> (Scalar, Option<char>) {
    let rest = &source.text[source.byte_of(span.start)..];
    let commented = rest.strip_prefix(':').is_some_and(starts_comment);
    let cut = commented.then_some(Cut::Comment);
    let pos = source.pos(span.start);
    (Scalar { text: String::new(), style: Style::Plain, pos, cut, layout: Layout::Changed }, rest.chars().next())
}

/// The scalar, and if it is unquoted, the character that follows it after any spaces.
/// `marked`: an anchor or a tag stands before it, and the span starts there.
pub fn written(
    source: &mut Source<'_>,
    text: String,
    style: ScalarStyle,
    span: Span,
    marked: bool,
) -> (Scalar, Option<char>) {
    let file_text = source.text;
    let mut start = source.place(span.start);
    if marked {
        start.skip_properties(file_text);
    }
    let end = source.byte_of(span.end).max(start.byte);
    let (style, cut, layout, next) = match style {
        ScalarStyle::Plain => {
            let (cut, layout) = plain(file_text, &text, start, end);
            (Style::Plain, cut, layout, file_text[end..].chars().find(|c| !c.is_ascii_whitespace()))
        }
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
            let inside = start.byte + 1;
            let exact =
                is_line_at(file_text, inside, &text) && file_text[inside + text.len()..].starts_with(['\'', '"']);
            let layout = if exact { Layout::Line { column: narrow(start.column + 2) } } else { Layout::Changed };
            (Style::Quoted, None, layout, None)
        }
        ScalarStyle::Literal | ScalarStyle::Folded => {
            let blank_lines = text.len() - text.trim_start_matches('\n').len();
            if marked {
                skip_block_header(&mut start, file_text, &text, blank_lines);
            }
            let (cut, layout) = block(&file_text[start.byte..end.max(start.byte)], &text, start, blank_lines);
            (Style::Block, cut, layout, None)
        }
    };
    (Scalar { text, style, pos: source.pos_of(start), cut, layout }, next)
}

fn plain(source: &str, text: &str, start: Place, end: usize) -> (Option<Cut>, Layout) {
    if source[start.byte..end].contains('\n') {
        return (Some(Cut::Fold), Layout::Changed);
    }
    let rest = &source[end..];
    let cut = (rest.starts_with([' ', '\t']) && starts_comment(rest)).then_some(Cut::Comment);
    let layout = match is_line_at(source, start.byte, text) {
        true => Layout::Line { column: narrow(start.column + 1) },
        false => Layout::Changed,
    };
    (cut, layout)
}

/// `written` starts at the first line that is not empty, behind its indentation.
fn block(written: &str, text: &str, start: Place, blank_lines: usize) -> (Option<Cut>, Layout) {
    let breaks = |text: &str| text.bytes().filter(|byte| *byte == b'\n').count();
    if breaks(written.trim_end()) != breaks(text.trim_start_matches('\n').trim_end()) {
        return (Some(Cut::Fold), Layout::Changed);
    }
    if blank_lines == text.len() {
        return (None, Layout::Changed);
    }
    let line = narrow(start.line.saturating_sub(blank_lines));
    (None, Layout::Block { line, indent: narrow(start.column) })
}

/// Whether a text of one line stands just so at an offset.
fn is_line_at(source: &str, at: usize, text: &str) -> bool {
    source[at..].starts_with(text) && !text.contains('\n')
}

fn starts_comment(rest: &str) -> bool {
    rest.trim_start_matches([' ', '\t']).starts_with('#')
}

/// From the `|` of a block scalar to its first line that is not empty, behind its indentation.
fn skip_block_header(place: &mut Place, source: &str, text: &str, blank_lines: usize) {
    let mut breaks = blank_lines + 1;
    place.skip(source, |c| {
        let inside = breaks > 0;
        breaks -= usize::from(inside && c == '\n');
        inside
    });
    let first = text[blank_lines..].split('\n').next().unwrap_or_default();
    let spaces = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let mut indent = spaces(&source[place.byte..]).saturating_sub(spaces(first));
    place.skip(source, |c| {
        let inside = indent > 0 && c == ' ';
        indent = indent.saturating_sub(1);
        inside
    });
}
