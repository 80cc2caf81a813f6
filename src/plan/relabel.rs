//! Labels of enums that are renamed in place: from then on PostgreSQL prints the new ones, wherever one stands in an
//! expression or in a row. What differs by them alone is not done anew.

use crate::kinds::{self, enumeration, row};
use crate::model::{Address, Model, Node, Spec};
use crate::sql::{literal, qualified, tokens, Token};
use serde_json::Value;
use std::borrow::Cow;
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

/// The renames of labels between two models. `printed_as`: the name by which the texts in the first one call a type.
pub fn relabels(actual: &Model, desired: &Model, printed_as: &dyn Fn(&Address) -> Address) -> Vec<Relabel> {
    let enums = desired.nodes().iter().filter(|node| node.address.kind() == "enum");
    let of = |new: &Node| {
        let labels = enumeration::renamed_labels(actual.get(&new.address)?, new);
        (!labels.is_empty()).then(|| Relabel::new(new.address.clone(), &printed_as(&new.address), labels))
    };
    enums.filter_map(of).collect()
}

impl Relabel {
    fn new(address: Address, printed: &Address, labels: BTreeMap<String, String>) -> Self {
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

    /// A row's value in a column of a type, likewise.
    fn in_row(&self, ty: &str, value: &str) -> Option<String> {
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

/// A model as it prints once labels are renamed. The enums themselves stay as they are.
pub fn relabelled<'a>(model: &'a Model, relabels: &[&Relabel]) -> Cow<'a, Model> {
    let say = |node: &Node| {
        let mut spec: Option<Spec> = None;
        for relabel in relabels {
            let now = if node.address.kind() == "row" {
                of_row(relabel, node, spec.as_ref().unwrap_or(&node.spec), model)
            } else {
                of_texts(relabel, node, spec.as_ref().unwrap_or(&node.spec))
            };
            spec = now.or(spec);
        }
        spec
    };
    let mut said: Vec<(usize, Spec)> = Vec::new();
    if !relabels.is_empty() {
        said.extend(model.nodes().iter().enumerate().filter_map(|(at, node)| Some((at, say(node)?))));
    }
    if said.is_empty() {
        return Cow::Borrowed(model);
    }
    let mut nodes = model.nodes().to_vec();
    for (at, spec) in said {
        nodes[at].spec = spec;
    }
    Cow::Owned(Model::new(nodes))
}

fn of_texts(relabel: &Relabel, node: &Node, spec: &Spec) -> Option<Spec> {
    let kind = kinds::kind_of(&node.address);
    // Most say nothing of it.
    if kind.printed().is_empty() || !spec.as_json().contains("::") {
        return None;
    }
    let mut value: Value = spec.read().ok()?;
    let mut any = false;
    let mut say = |text: &mut String| {
        if let Some(now) = relabel.said(text) {
            *text = now;
            any = true;
        }
    };
    for path in kind.printed() {
        each(&mut value, &path.split('.').collect::<Vec<_>>(), &mut say);
    }
    any.then(|| Spec::of(&value))
}

/// Goes through the texts at a path, as [`kinds::Kind::printed`] gives them.
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

fn of_row(relabel: &Relabel, node: &Node, spec: &Spec, model: &Model) -> Option<Spec> {
    let table = node.address.parent()?;
    row::with_values(spec, |column, value| {
        let column: kinds::column::ColumnSpec = model.get(&table.child("column", column))?.spec.read().ok()?;
        relabel.in_row(&column.ty, value)
    })
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
