//! What a fragment refers to by name: relations, functions, types. Used for the building order in
//! scratch and to qualify the names in data statements; never to decide equality.

use super::fragment::Fragment;
use super::parser;
use serde_json::Value;

/// The name space that a name is looked up in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    Relation,
    Function,
    Type,
    /// A column that stands alone outside sub-selects: one of the relation that the fragment belongs to.
    Column,
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
    let (statement, start) = fragment.statement();
    let Some(tree) = parser::tree(&statement) else { return Vec::new() };
    let mut found = Vec::new();
    let mut ctes = Vec::new();
    collect(&tree, true, &mut found, &mut ctes);
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

/// `own`: whether columns that stand alone are those of the relation that the fragment belongs to.
fn collect(value: &Value, own: bool, found: &mut Vec<Reference>, ctes: &mut Vec<String>) {
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
            } else if map.contains_key("ctematerialized") {
                ctes.extend(text("ctename"));
            } else if let Some(name) = map.get("Sval").and_then(|v| v.get("sval")).and_then(Value::as_str) {
                // A string constant may name a sequence or table, as in nextval('s.q').
                if let Some((schema, name)) = super::name::split(name) {
                    found.push(Reference { space: Space::Relation, schema, name, offset: None });
                }
            }
            if let (Some(fields), true) =
                (map.get("ColumnRef").and_then(|c| c.get("fields")).and_then(Value::as_array), own)
            {
                let offset = map.get("ColumnRef").and_then(|c| c.get("location")).and_then(Value::as_u64);
                let offset = offset.and_then(|n| usize::try_from(n).ok());
                if let [name] = fields.as_slice() {
                    let name = name.pointer("/node/String/sval").and_then(Value::as_str).map(str::to_owned);
                    found.extend(name.map(|name| Reference { space: Space::Column, schema: None, name, offset }));
                }
            }
            // A key of an index or of an exclusion constraint.
            if let (Some(name), true) = (text("name"), own && map.contains_key("nulls_ordering")) {
                found.push(Reference { space: Space::Column, schema: None, name, offset: None });
            }
            for (key, child) in map {
                collect(child, own && key != "SubLink", found, ctes);
            }
        }
        Value::Array(values) => values.iter().for_each(|v| collect(v, own, found, ctes)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

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
}
