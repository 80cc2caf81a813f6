//! Differences: a merge-join of two models. Knows no kind.

use crate::kinds::{self, facet};
use crate::model::{Model, Node};
use serde_json::Value;
use std::cmp::Ordering;

/// One address at which two models differ.
#[derive(Clone, Copy, Debug)]
pub struct Delta<'a> {
    pub old: Option<&'a Node>,
    pub new: Option<&'a Node>,
    /// Whether the specs differ, beyond owner, comment and grants.
    pub spec: bool,
}

impl<'a> Delta<'a> {
    /// The node on either side, the new one first.
    pub fn node(&self) -> Option<&'a Node> {
        self.new.or(self.old)
    }
}

/// All differences, sorted by address.
pub fn diff<'a>(actual: &'a Model, desired: &'a Model) -> Vec<Delta<'a>> {
    let mut deltas = Vec::new();
    let (mut old, mut new) = (actual.nodes().iter().peekable(), desired.nodes().iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return deltas,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.address.cmp(&b.address),
        };
        match order {
            Ordering::Less => deltas.push(Delta { old: old.next(), new: None, spec: true }),
            Ordering::Greater => deltas.push(Delta { old: None, new: new.next(), spec: true }),
            Ordering::Equal => {
                if let (Some(a), Some(b)) = (old.next(), new.next()) {
                    let spec = !same_spec(a, b);
                    if spec || facet::differ(a, b) {
                        deltas.push(Delta { old: Some(a), new: Some(b), spec });
                    }
                }
            }
        }
    }
}

/// Whether the live spec is the desired one, or becomes it when each text in it that the server also
/// prints for the desired thing is taken for that.
pub fn same_spec(actual: &Node, desired: &Node) -> bool {
    if actual.spec == desired.spec {
        return true;
    }
    let (Ok(mut a), Ok(mut b)) = (actual.spec.read::<Value>(), desired.spec.read::<Value>()) else { return false };
    let kind = kinds::kind_of(&desired.address);
    [&mut a, &mut b].into_iter().for_each(|spec| kind.plain_words(spec));
    same(&a, &b, &desired.prints)
}

/// Whether two values are equal, where `prints` are pairs of a live text and a desired one of the same meaning.
pub fn same(live: &Value, desired: &Value, prints: &[(String, String)]) -> bool {
    match (live, desired) {
        (Value::String(a), Value::String(b)) => a == b || prints.iter().any(|(print, last)| print == a && last == b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b, prints)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b, prints)))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::diff;
    use crate::model::{Address, Model, Node, Spec};

    #[test]
    fn texts_of_one_meaning_are_equal() {
        let node = |spec: &str| Node::new(Address::root("schema", "a"), Spec::from_json(spec));
        let mut desired = node(r#"{"expression":"b"}"#);
        desired.prints = vec![("a".into(), "b".into())];
        let desired = Model::new(vec![desired]);
        assert!(diff(&Model::new(vec![node(r#"{"expression":"a"}"#)]), &desired).is_empty());
        assert_eq!(diff(&Model::new(vec![node(r#"{"expression":"c"}"#)]), &desired).len(), 1);
        assert_eq!(diff(&Model::default(), &desired).len(), 1);
    }
}
