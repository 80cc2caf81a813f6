//! What a fragment refers to by name: relations, functions, types. Used for the building order in
//! scratch and to qualify the names in data statements; never to decide equality.

use super::fragment::Fragment;
use super::memo::{remembered, Memory};
use super::parser;
use serde_json::Value;

/// The name space that a name is looked up in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    Relation,
    Function,
    Type,
    /// Operators, operator classes, collations and text search configurations.
    Other,
    /// Schemas themselves.
    Schema,
}

/// A name in a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub space: Space,
    pub schema: Option<String>,
    pub name: String,
    /// Byte offset in the fragment's text, where the parser tells it.
    pub offset: Option<usize>,
}

/// All names in a fragment; empty if it does not parse.
pub fn references(fragment: &Fragment) -> Vec<Reference> {
    thread_local! {
        static FOUND: Memory<Fragment, Vec<Reference>> = Memory::default();
    }
    remembered(&FOUND, fragment, || find(fragment))
}

fn find(fragment: &Fragment) -> Vec<Reference> {
    let (statement, start) = fragment.statement();
    let Some(tree) = parser::tree(&statement) else { return Vec::new() };
    let mut found = Vec::new();
    let mut ctes = Vec::new();
    collect(&tree, &mut found, &mut ctes);
    found
        .into_iter()
        .filter(|r| r.space != Space::Relation || r.schema.is_some() || !ctes.contains(&r.name))
        .filter_map(|r| {
            // Names before the fragment belong to the statement around it.
            let offset = match r.offset {
                Some(at) => Some(at.checked_sub(start)?),
                None => None,
            };
            (offset.is_none_or(|at| at < fragment.text.len())).then_some(Reference { offset, ..r })
        })
        .collect()
}

/// The columns that stand alone in a fragment, outside of sub-selects: those of the relation that it belongs to. With
/// the byte offset in its text, where the parser tells it.
pub fn own_columns(fragment: &Fragment) -> Vec<(String, Option<usize>)> {
    thread_local! {
        static FOUND: Memory<Fragment, Vec<(String, Option<usize>)>> = Memory::default();
    }
    remembered(&FOUND, fragment, || find_columns(fragment))
}

fn find_columns(fragment: &Fragment) -> Vec<(String, Option<usize>)> {
    let (statement, start) = fragment.statement();
    let mut found = Vec::new();
    if let Some(tree) = parser::tree(&statement) {
        collect_columns(&tree, &mut found);
    }
    found.into_iter().map(|(name, at)| (name, at.and_then(|at: usize| at.checked_sub(start)))).collect()
}

fn collect_columns(value: &Value, found: &mut Vec<(String, Option<usize>)>) {
    match value {
        Value::Object(map) => {
            if let Some(fields) = map.get("fields").and_then(Value::as_array) {
                let offset = map.get("location").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
                if let [name] = fields.as_slice() {
                    let name = name.pointer("/node/String/sval").and_then(Value::as_str);
                    found.extend(name.map(|name| (name.to_owned(), offset)));
                }
            }
            // A key of an index or of an exclusion constraint.
            let key = map.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
            if map.contains_key("nulls_ordering") {
                found.extend(key.map(|name| (name.to_owned(), None)));
            }
            map.iter().filter(|(key, _)| *key != "SubLink").for_each(|(_, child)| collect_columns(child, found));
        }
        Value::Array(values) => values.iter().for_each(|v| collect_columns(v, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The fragment's text with the schema put before each unqualified name that `resolve` knows one for.
pub fn qualify(fragment: &Fragment, resolve: &dyn Fn(&Reference) -> Option<String>) -> String {
    let mut inserts: Vec<(usize, String)> = references(fragment)
        .into_iter()
        .filter(|r| r.schema.is_none())
        .filter_map(|r| Some((r.offset?, resolve(&r)?)))
        .collect();
    inserts.sort();
    inserts.dedup();
    let mut text = fragment.text.clone();
    for (at, schema) in inserts.into_iter().rev() {
        text.insert_str(at, &format!("{}.", super::Ident(&schema)));
    }
    text
}

fn collect(value: &Value, found: &mut Vec<Reference>, ctes: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let text = |key: &str| map.get(key).and_then(Value::as_str).filter(|s| !s.is_empty()).map(str::to_owned);
            let offset = map.get("location").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
            if let (Some(name), true) = (text("relname"), map.contains_key("relpersistence")) {
                found.push(Reference { space: Space::Relation, schema: text("schemaname"), name, offset });
            } else if let (Some(names), false) = (
                map.get("funcname").and_then(Value::as_array),
                map.contains_key("replace") && map.contains_key("parameters"),
            ) {
                push_name(names, Space::Function, offset, found);
            } else if let (Some(names), true) =
                (map.get("names").and_then(Value::as_array), map.contains_key("typmods"))
            {
                push_name(names, Space::Type, offset, found);
                push_sequence(map, found);
            } else if let (Some(names), true) = (map.get("name").and_then(Value::as_array), map.contains_key("lexpr")) {
                // `OPERATOR(s.=)`; a bare operator tells nothing of its schema.
                if names.len() > 1 {
                    push_name(names, Space::Other, offset, found);
                }
            } else if map.contains_key("ctematerialized") {
                ctes.extend(text("ctename"));
            } else if let Some(name) = map.get("Sval").and_then(|v| v.get("sval")).and_then(Value::as_str) {
                // A string constant may name a sequence or table, as in nextval('s.q').
                if let Some((schema, name)) = super::name::split(name) {
                    found.push(Reference { space: Space::Relation, schema, name, offset: None });
                }
            }
            // `'s.c'::regconfig`, as the server prints it.
            if let Some(name) = configuration(map) {
                if let Some((schema, name)) = super::name::split(name) {
                    found.push(Reference { space: Space::Other, schema, name, offset });
                }
            }
            for key in ["opclass", "collation", "collname"] {
                if let Some(names) = map.get(key).and_then(Value::as_array) {
                    push_name(names, Space::Other, offset, found);
                }
            }
            for child in map.values() {
                collect(child, found, ctes);
            }
        }
        Value::Array(values) => values.iter().for_each(|v| collect(v, found, ctes)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What a text may refer to that no parser here reads, such as a body in PL/pgSQL: qualified names wherever they
/// stand, in each name space that they may belong to, and other names where a type may stand.
pub fn mentions(text: &str) -> Vec<Reference> {
    let tokens = parser::tokens(text).unwrap_or_default();
    let token = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let word = |at: usize| match super::name::split(token(at)) {
        Some((None, word)) => Some(word),
        Some((Some(_), _)) | None => None,
    };
    // `found users`, `x::mood`, `users%rowtype`; a reserved word before it begins something else.
    let may_be_type = |at: usize| {
        let before = at.checked_sub(1).map_or("", token);
        let named = super::name::split(before).is_some_and(|(_, name)| super::Ident(&name).to_string() == before);
        named || before == "::" || token(at + 1) == "%"
    };
    let mut found = Vec::new();
    let mut push = |space, schema: Option<&str>, name: String| {
        found.push(Reference { space, schema: schema.map(str::to_owned), name, offset: None });
    };
    let mut at = 0;
    while at < tokens.len() {
        let quoted = token(at).strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
        match (word(at), quoted.and_then(super::name::split)) {
            (None, Some((Some(schema), name))) => push(Space::Relation, Some(&schema), name),
            (Some(schema), _) if token(at + 1) == "." => {
                if let Some(name) = word(at + 2) {
                    if token(at + 3) == "(" {
                        push(Space::Function, Some(&schema), name);
                    } else {
                        push(Space::Relation, Some(&schema), name.clone());
                        push(Space::Type, Some(&schema), name);
                    }
                    at += 2;
                }
            }
            (Some(name), _) if may_be_type(at) => push(Space::Type, None, name),
            _ => {}
        }
        at += 1;
    }
    found
}

/// The text that a cast, or a function of text search, takes for the name of a configuration.
fn configuration(map: &serde_json::Map<String, Value>) -> Option<&str> {
    if let Some(names) = map.get("type_name").and_then(|name| name.get("names")) {
        return map.get("arg").and_then(constant).filter(|_| last_name(names) == Some("regconfig"));
    }
    let function = last_name(map.get("funcname")?)?;
    // With one argument, the session's own is meant.
    let arguments = map.get("args")?.as_array().filter(|given| CONFIGURED.contains(&function) && given.len() > 1)?;
    arguments.first().and_then(constant)
}

fn constant(value: &Value) -> Option<&str> {
    value.pointer("/node/AConst/val/Sval/sval")?.as_str()
}

fn last_name(names: &Value) -> Option<&str> {
    names.as_array()?.last()?.pointer("/node/String/sval")?.as_str()
}

/// Functions whose first argument of two or more is a text search configuration (manual, section 9.13).
const CONFIGURED: [&str; 8] = [
    "to_tsvector",
    "to_tsquery",
    "plainto_tsquery",
    "phraseto_tsquery",
    "websearch_to_tsquery",
    "ts_headline",
    "json_to_tsvector",
    "jsonb_to_tsvector",
];

fn push_name(names: &[Value], space: Space, offset: Option<usize>, found: &mut Vec<Reference>) {
    let parts: Vec<&str> = names.iter().filter_map(|n| n.pointer("/node/String/sval")?.as_str()).collect();
    match parts.as_slice() {
        [name] => found.push(Reference { space, schema: None, name: (*name).to_owned(), offset }),
        [schema, name] if *schema != "pg_catalog" => {
            found.push(Reference { space, schema: Some((*schema).to_owned()), name: (*name).to_owned(), offset });
        }
        _ => {}
    }
}

/// `t.c%TYPE` names a relation.
fn push_sequence(map: &serde_json::Map<String, Value>, found: &mut Vec<Reference>) {
    if map.get("pct_type").and_then(Value::as_bool) == Some(true) {
        if let Some(last) = found.pop() {
            if let Some(name) = last.schema {
                found.push(Reference { space: Space::Relation, schema: None, name, offset: last.offset });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fragment::Shape;
    use super::*;

    #[test]
    fn names_are_found_and_qualified() {
        let resolve =
            |r: &Reference| ["tenants", "current_tenant", "st"].contains(&r.name.as_str()).then(|| "app".to_owned());
        let cases = [
            (Shape::Expression, "tenant_id = current_tenant()", "tenant_id = app.current_tenant()"),
            (
                Shape::Expression,
                "(select id from tenants where x = 'a'::st)",
                "(select id from app.tenants where x = 'a'::app.st)",
            ),
            (
                Shape::Expression,
                "(with tenants as (select 1 as id) select id from tenants)",
                "(with tenants as (select 1 as id) select id from tenants)",
            ),
            (Shape::Column, "st not null references tenants (id)", "app.st not null references app.tenants (id)"),
        ];
        for (shape, text, wanted) in cases {
            assert_eq!(qualify(&Fragment::new(shape, text), &resolve), wanted);
        }
    }

    fn words(found: Vec<Reference>) -> Vec<String> {
        found.iter().map(|r| format!("{:?} {}.{}", r.space, r.schema.as_deref().unwrap_or(""), r.name)).collect()
    }

    #[test]
    fn operators_classes_and_collations_are_found() {
        let cases = [
            (Shape::Expression, "a operator(ext.<->) b = c", "Other ext.<->"),
            (Shape::Keys, "embedding ext.vector_cosine_ops desc", "Other ext.vector_cosine_ops"),
            (Shape::Keys, "name collate ext.german", "Other ext.german"),
            (Shape::Column, "text collate ext.german", "Other ext.german"),
            (Shape::Call, "auth.touch()", "Function auth.touch"),
        ];
        for (shape, text, wanted) in cases {
            let found = words(references(&Fragment::new(shape, text)));
            assert!(found.iter().any(|f| f == wanted), "{shape:?} {text}: {found:?}");
        }
    }

    #[test]
    fn bodies_are_searched_for_names() {
        let body = "declare r auth.users%rowtype; m mood; begin perform auth.uid(); r := 'auth.x'; -- auth.nothing
            select a::size from orders; end";
        let found = words(mentions(body));
        let wanted = [
            "Relation auth.users",
            "Type auth.users",
            "Function auth.uid",
            "Relation auth.x",
            "Type .mood",
            "Type .size",
        ];
        for wanted in wanted {
            assert!(found.iter().any(|f| f == wanted), "{wanted}: {found:?}");
        }
        assert!(!found.iter().any(|f| f.contains("nothing") || f.contains("orders")), "{found:?}");
    }
}
