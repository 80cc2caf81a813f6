//! Makes the tree out of the parser's events, on a stack of its own.
//!
//! Limits hold before anything is built or cloned, so that nesting and aliases cost no more than
//! the limit says; with at most 64 levels, cloning and dropping a tree may recurse.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use super::input::{Meter, Metered};
use super::source::Source;
use super::{explain, scalar, Cut, Scalar, Style, Value, Yaml};
use crate::error::{Pos, Problem};

const MAX_DEPTH: usize = 64;
const MAX_NODES: usize = 2_000_000;
const MAX_TEXT: usize = 256 << 20;
const MAX_PROBLEMS: usize = 100;

/// The tree of a file's text, `None` if the end could not be reached.
pub fn tree(file: &Arc<PathBuf>, text: &str, problems: &mut Vec<Problem>) -> Option<Yaml> {
    let meter = Meter::default();
    let mut parser = Parser::new(Metered::new(text, meter.clone()));
    let mut builder = Builder {
        source: Source::new(file, text),
        reported: 0,
        problems,
        frames: Vec::new(),
        anchors: HashMap::new(),
        size: Size::default(),
        root: None,
    };
    let mut documents = 0;
    let mut last = Marker::new(0, 1, 0);
    while let Some(event) = parser.next_event() {
        if meter.is_exceeded() {
            let at = builder.source.pos(last);
            builder.report(
                Problem::new(&at, "the `[ ]` or `{ }` that starts after this is too long")
                    .hint("write it in block style, one key or `- ` item per line"),
            );
            return None;
        }
        meter.reset();
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                builder.report(explain::problem(file, &error));
                return None;
            }
        };
        last = span.start;
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
            if documents > 1 {
                let at = builder.source.pos(span.start);
                builder.report(
                    Problem::new(&at, "a second document in the file")
                        .hint("remove the `---`, or put what follows into a file of its own"),
                );
                break;
            }
        }
        if let Err(problem) = builder.event(event, span) {
            builder.report(problem);
            return None;
        }
    }
    let Builder { root, .. } = builder;
    let empty = || Yaml { pos: Pos { file: file.clone(), line: 1, column: 1 }, value: Value::Map(Vec::new()) };
    Some(root.filter(|node| !is_absent(node)).unwrap_or_else(empty))
}

struct Builder<'a> {
    source: Source<'a>,
    reported: usize,
    problems: &'a mut Vec<Problem>,
    /// The open collections, outermost first.
    frames: Vec<Frame>,
    /// What the anchors that are complete stand for, by the parser's number.
    anchors: HashMap<usize, (Yaml, Size)>,
    /// Of all that was read or cloned until now.
    size: Size,
    root: Option<Yaml>,
}

#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    /// Levels of collections, 0 for a scalar.
    depth: usize,
}

struct Frame {
    pos: Pos,
    anchor: usize,
    /// The builder's size when it was opened, and the depth of the deepest child yet.
    before: Size,
    content: Content,
}

enum Content {
    List(Vec<Yaml>),
    Map {
        entries: Vec<(Scalar, Yaml)>,
        key: Key,
        /// The entry before ended in unquoted text and a comma.
        after_comma: bool,
    },
}

enum Key {
    /// The next node is a key.
    Awaited,
    Read {
        key: Scalar,
        next: Option<char>,
    },
    /// It was reported; its value is left out.
    Bad,
}

impl<'a> Builder<'a> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tagged = tag.is_some();
                if tagged {
                    self.report_tag(span);
                }
                let (scalar, next) = match style {
                    ScalarStyle::Plain if text.is_empty() => scalar::absent(&mut self.source, span),
                    _ => scalar::written(&mut self.source, text.into_owned(), style, span, tagged || anchor > 0),
                };
                if scalar.text.contains('\0') {
                    let problem = Problem::new(&scalar.pos, "a NUL character in a text");
                    self.report(problem.hint("PostgreSQL cannot store it: take the `\\0` escape out"));
                }
                let size = Size { nodes: 1, bytes: scalar.text.len(), depth: 0 };
                self.spend(size, &scalar.pos)?;
                let node = Yaml { pos: scalar.pos.clone(), value: Value::Scalar(scalar) };
                self.finish(node, size, anchor, next)
            }
            Event::Alias(anchor) => {
                let pos = self.source.pos(span.start);
                let Some((_, size)) = self.anchors.get(&anchor) else {
                    return Err(Problem::new(&pos, "an alias inside what it repeats")
                        .hint("move the alias out, or put text that starts with `*` in quotes"));
                };
                let size = *size;
                self.spend(size, &pos)?;
                match self.anchors.get(&anchor).map(|(node, _)| node.clone()) {
                    Some(node) => self.attach(node, size.depth, None),
                    None => Ok(()),
                }
            }
            Event::SequenceStart(anchor, tag) => self.open(anchor, tag.is_some(), span, Content::List(Vec::new())),
            Event::MappingStart(anchor, tag) => {
                let content = Content::Map { entries: Vec::new(), key: Key::Awaited, after_comma: false };
                self.open(anchor, tag.is_some(), span, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
        }
    }

    fn open(&mut self, anchor: usize, tagged: bool, span: Span, content: Content) -> Result<(), Problem> {
        if tagged {
            self.report_tag(span);
        }
        let pos = self.source.pos(span.start);
        let before = Size { depth: 0, ..self.size };
        self.spend(Size { nodes: 1, bytes: 0, depth: 1 }, &pos)?;
        self.frames.push(Frame { pos, anchor, before, content });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        let Some(Frame { pos, anchor, before, content }) = self.frames.pop() else { return Ok(()) };
        let size = Size {
            nodes: self.size.nodes - before.nodes,
            bytes: self.size.bytes - before.bytes,
            depth: before.depth + 1,
        };
        let value = match content {
            Content::List(items) => Value::List(items),
            Content::Map { entries, key: _, after_comma: _ } => Value::Map(self.without_duplicates(entries)),
        };
        self.finish(Yaml { pos, value }, size, anchor, None)
    }

    /// Keeps what an anchor marks, then puts the node into its parent. `next` is the character
    /// that follows an unquoted scalar.
    fn finish(&mut self, node: Yaml, size: Size, anchor: usize, next: Option<char>) -> Result<(), Problem> {
        if anchor > 0 {
            self.spend(Size { depth: 0, ..size }, &node.pos)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        self.attach(node, size.depth, next)
    }

    fn attach(&mut self, mut node: Yaml, depth: usize, next: Option<char>) -> Result<(), Problem> {
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.before.depth = frame.before.depth.max(depth);
        let (entries, key, after_comma) = match &mut frame.content {
            Content::List(items) => {
                items.push(node);
                return Ok(());
            }
            Content::Map { entries, key, after_comma } => (entries, key, after_comma),
        };
        match std::mem::replace(key, Key::Awaited) {
            Key::Awaited => match as_key(node) {
                Ok(scalar) => *key = Key::Read { key: scalar, next },
                Err(problem) => {
                    *key = Key::Bad;
                    self.report(problem);
                }
            },
            Key::Bad => *after_comma = false,
            Key::Read { key: mut name, next: after_name } => {
                let absent = is_absent(&node);
                let rest = absent && *after_comma && name.style == Style::Plain && after_name != Some(':');
                if rest {
                    name.cut = Some(Cut::FlowComma);
                }
                *after_comma = next == Some(',') && (rest || !absent);
                if let Value::Scalar(scalar) = &mut node.value {
                    if scalar.text.is_empty() && scalar.style != Style::Quoted {
                        scalar.pos = name.pos.clone();
                        node.pos = name.pos.clone();
                    }
                }
                entries.push((name, node));
            }
        }
        Ok(())
    }

    fn without_duplicates(&mut self, entries: Vec<(Scalar, Yaml)>) -> Vec<(Scalar, Yaml)> {
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by(|a, b| entries[*a].0.text.cmp(&entries[*b].0.text));
        let mut doubled = Vec::new();
        let mut first = 0;
        for (at, index) in order.iter().enumerate().skip(1) {
            let (kept, key) = (&entries[order[first]].0, &entries[*index].0);
            if kept.text != key.text {
                first = at;
                continue;
            }
            doubled.push(*index);
            let message = format!(
                "key `{}` stands twice in this map: first at line {}, column {}",
                excerpt(&key.text),
                kept.pos.line,
                kept.pos.column
            );
            self.report(Problem::new(&key.pos, message).hint("merge the two, or rename or remove one of them"));
        }
        if doubled.is_empty() {
            return entries;
        }
        doubled.sort_unstable();
        let keep = entries.into_iter().enumerate().filter(|(index, _)| doubled.binary_search(index).is_err());
        keep.map(|(_, entry)| entry).collect()
    }

    /// Counts what is about to be kept or cloned, or says that it is too much.
    fn spend(&mut self, size: Size, pos: &Pos) -> Result<(), Problem> {
        if self.frames.len() + size.depth > MAX_DEPTH {
            return Err(Problem::new(pos, format!("nested too deeply, {MAX_DEPTH} levels are allowed"))
                .hint("put text that starts with brackets, braces or dashes in quotes"));
        }
        self.size.nodes = self.size.nodes.saturating_add(size.nodes);
        self.size.bytes = self.size.bytes.saturating_add(size.bytes);
        if self.size.nodes > MAX_NODES || self.size.bytes > MAX_TEXT {
            return Err(Problem::new(
                pos,
                format!("the file, with its aliases, holds more than {MAX_NODES} values or 256 MiB of text"),
            )
            .hint("use templates instead of aliases, or split the declaration into several files"));
        }
        Ok(())
    }

    fn report_tag(&mut self, span: Span) {
        let mut place = self.source.place(span.start);
        let text = self.source.text;
        if text[place.byte..].starts_with('&') {
            place.skip(text, |c| !c.is_ascii_whitespace());
            place.skip(text, |c| c.is_ascii_whitespace());
        }
        let tag = text[place.byte..].split([' ', '\t', '\n', ',', ']', '}']).next().unwrap_or_default();
        let pos = self.source.pos_of(place);
        let problem = Problem::new(&pos, format!("tag `{}`: tags are not used here", excerpt(tag)));
        self.report(
            problem.hint("remove it: every value is the text that it is; put text that starts with `!` in quotes"),
        );
    }

    fn report(&mut self, problem: Problem) {
        self.reported += 1;
        if self.reported <= MAX_PROBLEMS {
            self.problems.push(problem);
        } else if self.reported == MAX_PROBLEMS + 1 {
            self.problems.push(
                Problem::new(&problem.pos, "there are more problems in this file, not shown")
                    .hint("correct these first, then run again"),
            );
        }
    }
}

/// A node as the key of a map.
fn as_key(node: Yaml) -> Result<Scalar, Problem> {
    let Yaml { pos, value } = node;
    let Value::Scalar(key) = value else {
        return Err(Problem::new(&pos, "a list or map cannot be a key")
            .hint("put a key that starts with a bracket or brace in quotes"));
    };
    if key.style == Style::Plain && key.text.is_empty() {
        return Err(Problem::new(&pos, "a key is missing").hint("write `key: value`; an empty key is written `\"\"`"));
    }
    if key.style == Style::Plain && key.text == "<<" {
        return Err(Problem::new(&pos, "merge keys (`<<`) are not used here")
            .hint("put what tables share under `templates:` and name it in their `use:`"));
    }
    Ok(key)
}

/// Whether nothing was written.
fn is_absent(node: &Yaml) -> bool {
    matches!(&node.value, Value::Scalar(scalar) if scalar.style == Style::Plain && scalar.text.is_empty())
}

/// The beginning of a text, for a message.
fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
