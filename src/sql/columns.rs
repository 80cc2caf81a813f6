//! The columns that an expression names.

use super::fragment::{Fragment, Shape};
use super::parser;
use serde_json::Value;

/// The distinct columns that an expression names, in the order of their first use; None if it does
/// not parse or refers to a whole row.
pub fn columns(expression: &str) -> Option<Vec<String>> {
    let tree = parser::tree(&Fragment::new(Shape::Expression, expression).statement().0)?;
    let mut found = Vec::new();
    collect(&tree, &mut found).then_some(found)
}

fn collect(value: &Value, found: &mut Vec<String>) -> bool {
    match value {
        Value::Object(map) => {
            if let Some(fields) = map.get("ColumnRef").and_then(|r| r.get("fields")).and_then(Value::as_array) {
                // `c` or `t.c`; a star is no name.
                let Some(name) = fields.last().and_then(|f| f.pointer("/node/String/sval")).and_then(Value::as_str)
                else {
                    return false;
                };
                if !found.iter().any(|known| known == name) {
                    found.push(name.to_owned());
                }
            }
            map.values().all(|child| collect(child, found))
        }
        Value::Array(values) => values.iter().all(|child| collect(child, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::columns;

    #[test]
    fn columns_are_found_once() {
        assert_eq!(columns("a > 0 and t.a < lower(\"B\")"), Some(vec!["a".to_owned(), "B".to_owned()]));
        assert_eq!(columns("t.* is not null"), None);
        assert_eq!(columns("1 > 0"), Some(Vec::new()));
    }
}
