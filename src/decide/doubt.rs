//! Which texts of a comparison are in doubt: a server printed them, they differ, and might mean the same.

use crate::diff::{diff, same};
use crate::kinds::kind_of;
use crate::model::{Address, Model, Spec};
use serde_json::Value;
use std::collections::BTreeMap;

/// An address both sides have, with texts that might mean the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    pub address: Address,
    /// By their place in the spec: the live text and the desired one.
    pub texts: BTreeMap<String, (String, String)>,
}

/// All doubts, sorted by address.
pub fn doubts(actual: &Model, desired: &Model) -> Vec<Doubt> {
    let mut found = Vec::new();
    for delta in diff(actual, desired).into_iter().filter(|delta| delta.spec) {
        let (Some(old), Some(new)) = (delta.old, delta.new) else { continue };
        let (live, mut wanted) = (printed(&old.address, &old.spec), printed(&new.address, &new.spec));
        let is_open = |a: &String, b: &String| !same(&Value::from(a.as_str()), &Value::from(b.as_str()), &new.prints);
        let texts = live.into_iter().filter_map(|(place, a)| {
            let b = wanted.remove(&place).filter(|b| is_open(&a, b))?;
            Some((place, (a, b)))
        });
        let texts: BTreeMap<String, (String, String)> = texts.collect();
        if !texts.is_empty() {
            found.push(Doubt { address: new.address.clone(), texts });
        }
    }
    found
}

/// The texts in a spec that the server printed, by their place: `keys.0`, `checks.positive.expression`.
pub fn printed(address: &Address, spec: &Spec) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    let paths = kind_of(address).printed();
    if let (false, Ok(value)) = (paths.is_empty(), spec.read::<Value>()) {
        for path in paths {
            let steps: Vec<&str> = path.split('.').collect();
            collect(&value, &steps, String::new(), &mut texts);
        }
    }
    texts
}

fn collect(value: &Value, steps: &[&str], place: String, texts: &mut BTreeMap<String, String>) {
    let below = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
    match (value, steps) {
        (Value::String(text), []) => {
            texts.insert(place, text.clone());
        }
        (Value::Array(values), []) => {
            values.iter().enumerate().for_each(|(at, value)| collect(value, &[], below(&at.to_string()), texts));
        }
        (Value::Object(map), ["*", rest @ ..]) => {
            map.iter().for_each(|(name, value)| collect(value, rest, below(name), texts));
        }
        (Value::Object(map), [name, rest @ ..]) => {
            if let Some(value) = map.get(*name) {
                collect(value, rest, below(name), texts);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{doubts, printed};
    use crate::model::{Address, Model, Node, Spec};

    fn node(kind: &str, spec: &str) -> Node {
        Node::new(Address::root("schema", "a").child(kind, "x"), Spec::from_json(spec))
    }

    #[test]
    fn kinds_say_what_the_server_prints() {
        let domain = node("domain", r#"{"type":"int","default":"1","checks":{"a.b":{"expression":"VALUE > 0"}}}"#);
        let found: Vec<(String, String)> = printed(&domain.address, &domain.spec).into_iter().collect();
        let wanted = [("checks.a.b.expression", "VALUE > 0"), ("default", "1")];
        assert_eq!(found, wanted.map(|(place, text)| (place.to_owned(), text.to_owned())));
    }

    #[test]
    fn only_printed_texts_are_in_doubt() {
        let of = |kind: &str, live: &str, desired: &str, prints: &[(&str, &str)]| {
            let mut desired = node(kind, desired);
            desired.prints = prints.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            let found = doubts(&Model::new(vec![node(kind, live)]), &Model::new(vec![desired]));
            found.into_iter().flat_map(|d| d.texts.into_keys()).collect::<Vec<_>>()
        };
        let policy = |using: &str, to: &str| format!(r#"{{"for":"all","to":["{to}"],"using":"{using}"}}"#);
        assert_eq!(of("policy", &policy("p", "r"), &policy("q", "r"), &[]), ["using"]);
        assert_eq!(of("policy", &policy("p", "r"), &policy("q", "s"), &[]), ["using"]);
        assert!(of("policy", &policy("p", "r"), &policy("p", "s"), &[]).is_empty(), "roles are names");
        assert!(of("policy", &policy("p", "r"), &policy("q", "r"), &[("p", "q")]).is_empty(), "known already");
        assert_eq!(of("policy", &policy("p", "r"), &policy("q", "r"), &[("q", "p")]), ["using"]);
        let body = |text: &str| format!(r#"{{"language":"sql","body":"{text}"}}"#);
        assert!(of("function", &body("select 1"), &body("select  1"), &[]).is_empty(), "bytes are bytes");
        let keys = |keys: &str| format!(r#"{{"keys":[{keys}]}}"#);
        assert_eq!(of("index", &keys(r#""a","b""#), &keys(r#""a","c""#), &[]), ["keys.1"]);
    }
}
