//! From a model to the declaration that a person would have written: what `inspect` prints.
//!
//! Every kind writes its own part, facets and children are added here by what the registry says; nothing
//! here knows a kind. Whatever is written is read back to the same things. In many files, what holds rows
//! gets a file of its own, and the rest one file per key at the top.

mod emit;
mod paths;

use crate::kinds::{self, facet, Form, Kind, Many};
use crate::model::{Address, Model, Node};
use paths::Paths;
use serde_yaml::{Mapping, Value};
use std::collections::BTreeMap;

/// The file beside a declaration that tells editors its form.
pub const SCHEMA_FILE: &str = "pgplumb.schema.json";

/// The file that holds what a declaration says of itself.
const MAIN: &str = "schema.yaml";

/// A declaration, ready to be printed.
pub struct Document {
    settings: Mapping,
    sections: Vec<Section>,
    /// What the declaration cannot say.
    notes: Vec<String>,
}

/// What stands under one key at the top.
struct Section {
    key: &'static str,
    /// Whether each thing gets a file of its own.
    apart: bool,
    /// Whether it belongs beside the settings: what is in no schema.
    outside: bool,
    things: Vec<Thing>,
}

/// What is written under one name.
struct Thing {
    address: Address,
    key: String,
    value: Value,
}

/// A file of a declaration, by its path below the directory.
pub struct File {
    pub path: String,
    pub text: String,
    /// What it declares at the top.
    pub things: Vec<Address>,
}

/// The declaration of a model as read from a server of this major. `ignore` are patterns of what is left alone, `notes`
/// are said as comments. With `all_grants`, who may use a thing is said also where it is the default, and so is managed.
pub fn document(
    model: &Model,
    major: u32,
    schemas: &[String],
    ignore: &[String],
    notes: &[String],
    all_grants: bool,
) -> Document {
    let default_schema = schemas.first().map_or("", String::as_str);
    let writer = Writer { model, major, default_schema, owner: usual_owner(model), all_grants };
    let mut settings = Mapping::new();
    settings.insert("pgplumb".into(), 1.into());
    settings.insert("postgres".into(), major.into());
    if let Some(owner) = writer.owner {
        settings.insert("owner".into(), owner.into());
    }
    settings.insert("schemas".into(), schemas.to_vec().into());
    if !ignore.is_empty() {
        settings.insert("ignore".into(), ignore.to_vec().into());
    }
    Document { settings, sections: writer.sections(), notes: notes.to_vec() }
}

/// The node as its declaration has it: what the declaration leaves unsaid is unmanaged.
pub fn as_declared(mut node: Node, major: u32) -> Node {
    let kind = kinds::kind_of(&node.address);
    if kind.follows_owner(&node) {
        node.owner = None;
    }
    if let Some((spec, _)) = kind.declarable(&node) {
        node.spec = spec;
    }
    let grantable = kind.grantable(&node, major);
    let differ =
        node.grants.as_deref().zip(grantable).is_some_and(|(grants, on)| *grants != facet::default_grants(&on));
    if !differ && !kind.is_given(&node) {
        node.grants = None;
    }
    node
}

/// The owner of most things; the first by name of several.
fn usual_owner(model: &Model) -> Option<&str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for node in model.nodes().iter().filter(|node| !kinds::kind_of(&node.address).follows_owner(node)) {
        if let Some(owner) = node.owner.as_deref() {
            *counts.entry(owner).or_default() += 1;
        }
    }
    let most = counts.values().max().copied()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(owner, _)| owner)
}

struct Writer<'a> {
    model: &'a Model,
    major: u32,
    default_schema: &'a str,
    owner: Option<&'a str>,
    all_grants: bool,
}

impl Writer<'_> {
    fn sections(&self) -> Vec<Section> {
        let mut sections: Vec<Section> = Vec::new();
        for (section, kind) in kinds::child_sections("") {
            let nodes: Vec<&Node> = self.model.nodes().iter().filter(|n| n.address.kind() == kind.name()).collect();
            let outside = nodes.iter().all(|n| n.address.parent().is_none());
            let thing = |node: &Node| {
                let value = self.thing(kind, node, true)?;
                Some(Thing { address: node.address.clone(), key: kind.key(node, self.default_schema), value })
            };
            let written = nodes.into_iter().filter_map(thing);
            let things: Vec<Thing> = written.filter(|thing| !is_bare_schema(section.key, &thing.value)).collect();
            if !things.is_empty() {
                sections.push(Section { key: section.key, apart: kind.holds_rows(), outside, things });
            }
        }
        sections
    }

    /// A thing with its facets and all that stands below it.
    fn thing(&self, kind: &dyn Kind, node: &Node, at_top: bool) -> Option<Value> {
        let own = kind.write(node, self.model)?;
        let mut facets = Mapping::new();
        let default_owner = if kind.follows_owner(node) { node.owner.as_deref() } else { self.owner };
        // The newest privileges are granted one by one, lest `all` should mean more to a reader.
        facet::write(kind, node, default_owner, self.major.max(17), self.all_grants, &mut facets);
        // What is there already has other grants than a new one would.
        if kind.is_given(node) && node.grants.is_some() && !facets.contains_key("grants") {
            facets.insert("grants".into(), Value::Mapping(Mapping::new()));
        }
        let (properties, children) = self.children(kind, &node.address);
        if facets.is_empty() && children.is_empty() && properties.is_empty() {
            return Some(own);
        }
        let mut whole = Mapping::new();
        match own {
            Value::Mapping(own) if at_top => {
                whole.extend(facets);
                whole.extend(own);
            }
            Value::Mapping(own) => {
                whole.extend(own);
                whole.extend(facets);
            }
            short => {
                whole.insert(long_key(kind.form(), &short).into(), short);
                whole.extend(facets);
            }
        }
        whole.extend(properties);
        whole.extend(children);
        Some(Value::Mapping(whole))
    }

    /// What stands below a thing: its properties (one of a kind, without facets), then the rest.
    fn children(&self, parent: &dyn Kind, address: &Address) -> (Mapping, Mapping) {
        let (mut properties, mut rest) = (Mapping::new(), Mapping::new());
        let mut sections = kinds::child_sections(parent.name()).peekable();
        if sections.peek().is_none() {
            return (properties, rest);
        }
        let nodes: Vec<&Node> = self.model.children(address).collect();
        for (section, kind) in sections {
            let mut own: Vec<&Node> = nodes.iter().copied().filter(|n| n.address.kind() == kind.name()).collect();
            own.sort_by(|a, b| (a.order, &a.address).cmp(&(b.order, &b.address)));
            let written = own
                .iter()
                .filter_map(|node| Some((kind.key(node, self.default_schema), self.thing(kind, node, false)?)))
                .filter(|(_, value)| !(kind.is_implied() && is_empty(value)));
            let mut written = written.peekable();
            if written.peek().is_none() {
                continue;
            }
            let value = match section.many {
                Many::Named => Value::Mapping(written.map(|(key, value)| (key.into(), value)).collect()),
                Many::List => Value::Sequence(written.map(|(_, value)| value).collect()),
                Many::One => written.next().map_or(Value::Null, |(_, value)| value),
            };
            let is_property = section.many == Many::One && kind.facets().is_empty();
            if is_property { &mut properties } else { &mut rest }.insert(section.key.into(), value);
        }
        (properties, rest)
    }
}

/// A schema of which `schemas` says all there is to say.
fn is_bare_schema(key: &str, value: &Value) -> bool {
    key == "schema" && is_empty(value)
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Mapping(map) if map.is_empty())
}

/// The key of a record that holds what the short form says alone.
fn long_key(form: &Form, short: &Value) -> &'static str {
    let Form::Either(forms) = form else { return "" };
    let takes = |form: &Form| match short {
        Value::Sequence(_) => matches!(form, Form::List(_) | Form::Names),
        _ => matches!(form, Form::Sql(_) | Form::Names),
    };
    let Some(wanted) = forms.iter().find(|form| takes(form)) else { return "" };
    let same = |form: &Form| match (form, wanted) {
        (Form::Sql(a), Form::Sql(b)) => a == b,
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    };
    let keys = forms.iter().filter_map(|form| if let Form::Record(keys) = form { Some(keys.iter()) } else { None });
    keys.flatten().find(|key| same(&key.form)).map_or("", |key| key.name)
}

impl Document {
    /// The whole in one text.
    pub fn text(&self) -> String {
        let mut out = self.head();
        for section in &self.sections {
            section.write(&mut out);
        }
        self.write_notes(&mut out);
        out
    }

    /// The whole in files: the settings with what is in no schema, one for each key, one for each table.
    pub fn files(&self) -> Vec<File> {
        let mut main = File { path: MAIN.into(), text: self.head(), things: Vec::new() };
        let mut files = Vec::new();
        let mut paths = Paths::new(MAIN);
        for section in &self.sections {
            let all = || section.things.iter().map(|thing| thing.address.clone());
            if section.outside {
                section.write(&mut main.text);
                main.things.extend(all());
            } else if section.apart {
                for Thing { address, key, value } in &section.things {
                    let mut text = modeline("../");
                    let named = Value::Mapping([(key.as_str().into(), value.clone())].into_iter().collect());
                    emit::named(&mut text, section.key, &named, 0);
                    files.push(File { path: paths.within(section.key, key), text, things: vec![address.clone()] });
                }
            } else {
                let mut text = modeline("./");
                section.write(&mut text);
                files.push(File { path: paths.top(section.key), text, things: all().collect() });
            }
        }
        self.write_notes(&mut main.text);
        files.insert(0, main);
        files
    }

    fn head(&self) -> String {
        let mut out = modeline("./");
        emit::map(&mut out, &self.settings, 0);
        out
    }

    fn write_notes(&self, out: &mut String) {
        if self.notes.is_empty() {
            return;
        }
        out.push_str("\n# There is more in this database, which a declaration cannot hold; it is left alone:\n");
        for note in &self.notes {
            let line: String = note
                .chars()
                .map(|c| if c.is_control() || ('\u{2028}'..='\u{202E}').contains(&c) { '?' } else { c })
                .collect();
            out.push_str(&format!("#   {line}\n"));
        }
    }
}

/// Tells editors where the form of this file is described.
fn modeline(up: &str) -> String {
    format!("# yaml-language-server: $schema={up}{SCHEMA_FILE}\n")
}

impl Section {
    fn write(&self, out: &mut String) {
        out.push('\n');
        let all_empty = self.things.iter().all(|t| matches!(&t.value, Value::Mapping(map) if map.is_empty()));
        if self.outside && all_empty {
            let names: Vec<String> = self.things.iter().map(|t| t.key.clone()).collect();
            emit::named(out, self.key, &names.into(), 0);
            return;
        }
        out.push_str(&format!("{}:\n", self.key));
        let mut lines = 1;
        for (at, Thing { address: _, key, value }) in self.things.iter().enumerate() {
            let mut text = String::new();
            emit::named(&mut text, key, value, 2);
            let before = std::mem::replace(&mut lines, text.lines().count());
            if at > 0 && (lines > 1 || before > 1) {
                out.push('\n');
            }
            out.push_str(&text);
        }
    }
}
