//! The JSON Schema of declarations, for editors: generated from the same forms that the reader uses.
//!
//! The reader takes every scalar as its source text, so where it takes a text, an editor may see a number or
//! a flag. What only the server or the SQL parser can judge is left to them.

use super::external;
use super::settings::KEYS;
use crate::kinds::{self, Form, Key, Kind, Many};
use serde_json::{json, Map, Value};

/// The JSON Schema of a declaration (draft 2020-12).
pub fn json_schema() -> Value {
    let mut properties: Map<String, Value> = KEYS.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    properties.extend(sections());
    let mut others = sections();
    others.insert(external::SCHEMAS.into(), described(of(&Form::Names, &Map::new()), external::SCHEMAS_DOC));
    let others = json!({ "type": ["object", "null"], "properties": others, "additionalProperties": false });
    properties.insert(external::KEY.into(), described(others, external::DOC));
    if let Some(table) = kinds::find("table") {
        let doc = "What tables of one sort have in common; a table that says `use` gets it. \
                   ${table}, ${schema} and ${column} stand for names.";
        properties.insert("templates".into(), described(named(table), doc));
    }
    let definitions: Map<String, Value> = kinds::KINDS.iter().map(|kind| (definition(*kind), whole(*kind))).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A declaration for pgplumb",
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": false,
        "$defs": definitions,
    })
}

/// What stands under the sections of the kinds.
fn sections() -> Map<String, Value> {
    let property = |(section, kind): (&'static kinds::Section, &'static dyn Kind)| {
        let mut things = named(kind);
        if matches!(kind.form(), Form::Record(_)) {
            // `extensions: [vector]`
            things = json!({ "anyOf": [things, { "type": "array", "items": name() }] });
        }
        (section.key.to_owned(), described(things, section.doc))
    };
    kinds::child_sections("").map(property).collect()
}

/// The name of a kind's definition.
fn definition(kind: &dyn Kind) -> String {
    kind.name().replace(' ', "_")
}

fn reference(kind: &dyn Kind) -> Value {
    json!({ "$ref": format!("#/$defs/{}", definition(kind)) })
}

/// A map from names to things of a kind.
fn named(kind: &dyn Kind) -> Value {
    json!({ "type": ["object", "null"], "additionalProperties": reference(kind) })
}

/// All that may be said of a thing: its own form, its facets, and what stands below it.
fn whole(kind: &dyn Kind) -> Value {
    let mut more = Map::new();
    for facet in kind.facets() {
        more.insert(facet.key().into(), described(of(facet.form(), &Map::new()), facet.doc()));
    }
    for (section, child) in kinds::child_sections(kind.name()) {
        let things = match section.many {
            Many::Named => named(child),
            Many::One => reference(child),
            Many::List => json!({ "type": ["array", "null"], "items": reference(child) }),
        };
        more.insert(section.key.into(), described(things, section.doc));
    }
    of(kind.form(), &more)
}

fn property(key: &Key) -> Value {
    described(of(&key.form, &Map::new()), key.doc)
}

fn described(mut schema: Value, doc: &str) -> Value {
    if let Some(map) = schema.as_object_mut() {
        map.insert("description".into(), doc.into());
    }
    schema
}

fn name() -> Value {
    json!({ "type": ["string", "number", "boolean"] })
}

/// The schema of a form; records in it also take the properties of `more`.
fn of(form: &Form, more: &Map<String, Value>) -> Value {
    match form {
        Form::Flag => json!({ "type": "boolean" }),
        Form::Number => json!({ "type": "integer" }),
        Form::Text => json!({ "type": ["string", "number", "boolean", "null"] }),
        Form::Name => name(),
        Form::Sql(shape) => described(name(), &format!("SQL: {}", shape.words())),
        Form::Names => json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": name() }] }),
        Form::Word(words) => {
            // An unquoted `1` or `true` is no string to an editor.
            let typed =
                words.iter().filter_map(|word| serde_json::from_str(word).ok()).filter(|v: &Value| !v.is_string());
            let words: Vec<Value> = words.iter().map(|word| (*word).into()).chain(typed).collect();
            json!({ "enum": words })
        }
        Form::List(of_each) => json!({ "type": ["array", "null"], "items": of(of_each, &Map::new()) }),
        Form::Map(of_each) => json!({ "type": ["object", "null"], "additionalProperties": of(of_each, &Map::new()) }),
        Form::Record(keys) => {
            let mut properties: Map<String, Value> =
                keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
            for (key, other) in more {
                let both = |own: &Value| json!({ "anyOf": [own, other] });
                let schema = properties.get(key).map_or_else(|| other.clone(), both);
                properties.insert(key.clone(), schema);
            }
            json!({ "type": ["object", "null"], "properties": properties, "additionalProperties": false })
        }
        Form::Either(forms) => json!({ "anyOf": forms.iter().map(|form| of(form, more)).collect::<Vec<_>>() }),
    }
}
