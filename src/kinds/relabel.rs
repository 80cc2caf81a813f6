//! Labels that are renamed in place: from then on PostgreSQL prints the new ones, wherever one stands in an expression or in
//! a row.

use crate::model::{Address, Spec};
use crate::sql::{literal, qualified, tokens, Token};
use serde_json::Value;
use std::collections::BTreeMap;

/// What becomes of the labels of one enum.
#[derive(Clone, Debug)]
pub struct Relabel {
    /// The enum, by the name that it has after all renames.
    pub address: Address,
    /// The type as expressions print it, in parts: `app`, `.`, `mood`.
    ty: Vec<String>,
    labels: BTreeMap<String, String>,
}

impl Relabel {
    /// `printed`: the name by which texts call it.
    pub fn new(address: Address, printed: &Address, labels: BTreeMap<String, String>) -> Self {
        let ty = qualified(printed.schema(), printed.name());
        let ty = tokens(&ty).unwrap_or_default().iter().map(|token| token.text.to_owned()).collect();
        Self { address, ty, labels }
    }

    /// The other way round.
    pub fn back(&self) -> Self {
        let labels = self.labels.iter().map(|(from, to)| (to.clone(), from.clone())).collect();
        Self { labels, ..self.clone() }
    }

    /// A text that a server printed, with the labels that it will print; None if none of them is in it.
    pub fn said(&self, text: &str) -> Option<String> {
        if !self.labels.keys().any(|label| text.contains(&*label.replace('\'', "''").replace('\\', "\\\\"))) {
            return None;
        }
        let tokens = tokens(text).ok()?;
        let mut said = String::with_capacity(text.len());
        let mut done = 0;
        for (at, token) in tokens.iter().enumerate() {
            let Some(value) = string(token.text) else { continue };
            let behind = tokens.get(at + 1..).unwrap_or_default();
            let Some(depth) = self.cast(behind) else { continue };
            if let Some(now) = self.value(&value, depth) {
                said.push_str(text.get(done..token.start)?);
                said.push_str(&literal(&now));
                done = token.end;
            }
        }
        (done > 0).then(|| said + text.get(done..).unwrap_or_default())
    }

    /// Whether tokens begin with a cast to the enum, or to an array of it.
    fn cast(&self, tokens: &[Token]) -> Option<Depth> {
        let (cast, rest) = tokens.split_first()?;
        let (ty, rest) = rest.split_at_checked(self.ty.len())?;
        if cast.text != "::" || ty.iter().map(|token| token.text).ne(&self.ty) {
            return None;
        }
        Some(if rest.first().is_some_and(|token| token.text == "[") { Depth::Array } else { Depth::One })
    }

    /// What becomes of a value; None where it stays.
    fn value(&self, text: &str, depth: Depth) -> Option<String> {
        match depth {
            Depth::One => self.labels.get(text).cloned(),
            Depth::Array => self.array(text),
        }
    }

    /// An array's output with other elements (manual, section 8.15.6).
    fn array(&self, text: &str) -> Option<String> {
        let mut said = String::with_capacity(text.len());
        let mut any = false;
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if matches!(c, '{' | '}' | ',') {
                said.push(c);
                rest = &rest[1..];
                continue;
            }
            let (element, length) = element(rest)?;
            match self.labels.get(&element) {
                Some(now) => {
                    any = true;
                    said.push_str(&in_array(now));
                }
                None => said.push_str(&rest[..length]),
            }
            rest = &rest[length..];
        }
        any.then_some(said)
    }

    /// A spec with other texts at the paths that [`Kind::printed`](super::Kind::printed) gives; None if none is another.
    pub fn in_texts(&self, paths: &[&str], spec: &Spec) -> Option<Spec> {
        // Most say nothing of it.
        if paths.is_empty() || !spec.as_json().contains("::") {
            return None;
        }
        let mut value: Value = spec.read().ok()?;
        let mut any = false;
        let mut say = |text: &mut String| {
            if let Some(now) = self.said(text) {
                *text = now;
                any = true;
            }
        };
        for path in paths {
            each(&mut value, &path.split('.').collect::<Vec<_>>(), &mut say);
        }
        any.then(|| Spec::of(&value))
    }

    /// A row's value in a column of a type, likewise.
    pub fn in_row(&self, ty: &str, value: &str) -> Option<String> {
        let ty = tokens(ty).ok()?;
        let (own, rest) = ty.split_at_checked(self.ty.len())?;
        let depth = if rest.is_empty() { Depth::One } else { Depth::Array };
        own.iter().map(|token| token.text).eq(&self.ty).then(|| self.value(value, depth))?
    }
}

#[derive(Clone, Copy)]
enum Depth {
    One,
    Array,
}

/// The value of a string literal; None if a token is none.
fn string(token: &str) -> Option<String> {
    let (inner, escapes) = match token.strip_prefix("E'") {
        Some(inner) => (inner, true),
        None => (token.strip_prefix('\'')?, false),
    };
    let inner = inner.strip_suffix('\'')?.replace("''", "'");
    Some(if escapes { inner.replace("\\\\", "\\") } else { inner })
}

/// The first element of what stands in an array's output, and its length there.
fn element(text: &str) -> Option<(String, usize)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let length = text.find([',', '}'])?;
        return Some((text[..length].to_owned(), length));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    loop {
        match chars.next()? {
            (at, '"') => return Some((value, at + 2)),
            (_, '\\') => value.push(chars.next()?.1),
            (_, c) => value.push(c),
        }
    }
}

/// As an element of an array prints.
fn in_array(label: &str) -> String {
    let plain = !label.is_empty()
        && !label.eq_ignore_ascii_case("null")
        && !label.contains(|c: char| matches!(c, '{' | '}' | ',' | '"' | '\\') || c.is_ascii_whitespace());
    match plain {
        true => label.to_owned(),
        false => format!("\"{}\"", label.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// Goes through the texts at a path, as [`Kind::printed`](super::Kind::printed) gives them.
fn each(value: &mut Value, steps: &[&str], say: &mut dyn FnMut(&mut String)) {
    match (value, steps) {
        (Value::String(text), []) => say(text),
        (Value::Array(values), []) => values.iter_mut().for_each(|value| each(value, &[], say)),
        (Value::Object(map), ["*", rest @ ..]) => map.values_mut().for_each(|value| each(value, rest, say)),
        (Value::Object(map), [name, rest @ ..]) => {
            if let Some(value) = map.get_mut(*name) {
                each(value, rest, say);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::Relabel;
    use crate::model::Address;

    fn said(text: &str) -> String {
        let address = Address::root("schema", "app").child("enum", "Mood");
        let labels = [("sad", "it's"), ("a\\b", "x"), ("x", "null"), ("a \"b", "plain")];
        let labels = labels.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        Relabel::new(address.clone(), &address, labels).said(text).unwrap_or_default()
    }

    #[test]
    fn labels_are_said_anew_where_they_are_the_enums() {
        let pairs = [
            ("(m = 'sad'::app.\"Mood\")", "(m = 'it''s'::app.\"Mood\")"),
            (r#"E'a\\b'::app."Mood""#, r#"'x'::app."Mood""#),
            (r#"'{sad,ok,x}'::app."Mood"[]"#, r#"'{it''s,ok,"null"}'::app."Mood"[]"#),
            (r#"'{{"a \"b"},{sad}}'::app."Mood"[]"#, r#"'{{plain},{it''s}}'::app."Mood"[]"#),
            ("'sad'::app.mood", ""),
            ("'sad'::text", ""),
            ("'sad'::text || 'ok'::app.\"Mood\"", ""),
            ("('sad'::app.\"Mood\")::text = 'sad'::text", "('it''s'::app.\"Mood\")::text = 'sad'::text"),
        ];
        for (text, wanted) in pairs {
            assert_eq!(said(text), wanted, "{text}");
        }
    }
}
