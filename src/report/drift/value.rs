//! Values of fields, for people.

use serde_json::{Map, Value};

/// The text of a value; None has none.
pub fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(yes)) => yes.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Array(values)) if values.iter().any(Value::is_object) => {
            values.iter().map(|v| format!("{}\n", text(Some(v)))).collect()
        }
        Some(Value::Array(values)) => values.iter().map(|v| text(Some(v))).collect::<Vec<_>>().join(", "),
        Some(Value::Object(map)) => object(map),
    }
}

/// `name: type integer, default 0`.
fn object(map: &Map<String, Value>) -> String {
    let rest = map.iter().filter(|(key, _)| *key != "name").map(|(key, value)| format!("{key} {}", text(Some(value))));
    let rest = rest.collect::<Vec<_>>().join(", ");
    match map.get("name") {
        Some(name) => format!("{}: {rest}", text(Some(name))),
        None => rest,
    }
}

/// The text on one line, with a word for an empty text, and for what a field means that says nothing.
pub fn brief(field: &str, value: Option<&Value>) -> String {
    let nothing = match field {
        "to" => "everybody (public)",
        "volatility" => "volatile",
        "parallel" => "unsafe",
        "replica_identity" => "default",
        _ => "none",
    };
    match value {
        None | Some(Value::Null) => nothing.into(),
        Some(Value::String(text)) if text.is_empty() => "''".into(),
        Some(Value::Array(values)) if values.is_empty() => nothing.into(),
        value => text(value).trim_end_matches('\n').to_owned(),
    }
}

/// Whether a difference of these is best shown line by line.
pub fn is_long(declared: Option<&Value>, live: Option<&Value>) -> bool {
    let (declared, live) = (text(declared), text(live));
    [&declared, &live].iter().any(|t| t.trim_end_matches('\n').contains('\n'))
}
