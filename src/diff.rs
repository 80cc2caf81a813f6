//! Differences: a merge-join of two models. Knows no kind.

use crate::kinds::{self, facet};
use crate::model::{Model, Node, Spec};
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

/// Nodes from which on a second thread is worth what it costs.
const MANY: usize = 20_000;

/// All differences, sorted by address.
pub fn diff<'a>(actual: &'a Model, desired: &'a Model) -> Vec<Delta<'a>> {
    let deltas = in_parts(actual, desired, |pairs| {
        let mut comparison = Comparison::default();
        pairs.filter_map(|(old, new)| comparison.delta(old, new)).collect::<Vec<_>>()
    });
    deltas.concat()
}

/// Whether there are any.
pub fn differ(actual: &Model, desired: &Model) -> bool {
    let mut comparison = Comparison::default();
    Pairs::of(actual, desired).any(|(old, new)| comparison.delta(old, new).is_some())
}

/// Goes through two models in one go, or where there is much in two halves, each on a thread of its own. What comes of
/// the parts is in their order.
pub fn in_parts<'a, T: Send>(actual: &'a Model, desired: &'a Model, compare: impl Fn(Pairs<'a>) -> T + Sync) -> Vec<T> {
    let whole = Pairs::of(actual, desired);
    let Some(middle) = desired.nodes().get(desired.nodes().len() / 2).filter(|_| desired.nodes().len() >= MANY) else {
        return vec![compare(whole)];
    };
    let split = |nodes: &'a [Node]| nodes.split_at(nodes.partition_point(|node| node.address < middle.address));
    let ((old, later_old), (new, later_new)) = (split(whole.old), split(whole.new));
    std::thread::scope(|scope| {
        let later = scope.spawn(|| compare(Pairs { old: later_old, new: later_new }));
        let first = compare(Pairs { old, new });
        vec![first, later.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))]
    })
}

/// The nodes of two models by their addresses, sorted: at least one of each two is there.
pub struct Pairs<'a> {
    old: &'a [Node],
    new: &'a [Node],
}

impl<'a> Pairs<'a> {
    pub fn of(actual: &'a Model, desired: &'a Model) -> Self {
        Self { old: actual.nodes(), new: desired.nodes() }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Option<&'a Node>, Option<&'a Node>);

    fn next(&mut self) -> Option<Self::Item> {
        let order = match (self.old.first(), self.new.first()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.address.cmp(&b.address),
        };
        let take = |from: &mut &'a [Node]| {
            let (first, rest) = from.split_first()?;
            *from = rest;
            Some(first)
        };
        Some(match order {
            Ordering::Less => (take(&mut self.old), None),
            Ordering::Greater => (None, take(&mut self.new)),
            Ordering::Equal => (take(&mut self.old), take(&mut self.new)),
        })
    }
}

/// One comparison after another: where a template stamped many things, most are alike the ones before.
#[derive(Default)]
pub struct Comparison<'a> {
    /// The last two nodes that are the same, although their specs are not equal byte for byte.
    same: Option<(&'a Node, &'a Node)>,
}

impl<'a> Comparison<'a> {
    /// How two nodes of one address differ, if they do.
    pub fn delta(&mut self, old: Option<&'a Node>, new: Option<&'a Node>) -> Option<Delta<'a>> {
        let (Some(a), Some(b)) = (old, new) else { return Some(Delta { old, new, spec: true }) };
        let spec = !self.same_spec(a, b);
        (spec || facet::differ(a, b)).then_some(Delta { old, new, spec })
    }

    fn same_spec(&mut self, a: &'a Node, b: &'a Node) -> bool {
        let as_before = |(old, new): (&Node, &Node)| {
            old.spec == a.spec && new.spec == b.spec && new.prints == b.prints && new.address.kind() == b.address.kind()
        };
        if a.spec == b.spec || self.same.is_some_and(as_before) {
            return true;
        }
        let same = same_spec(a, b);
        if same {
            self.same = Some((a, b));
        }
        same
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

/// What differs, with the texts that renames alone make the desired ones in their words: what is done about the rest shall
/// not be done about these too. None where there is no such text.
pub fn reworded(actual: &Model, deltas: &[Delta]) -> Option<Model> {
    let mut reworded: Vec<Node> = Vec::new();
    for delta in deltas.iter().filter(|delta| delta.spec) {
        let (Some(old), Some(new)) = (delta.old, delta.new) else { continue };
        // On the way back it is the live one that knows what it was called.
        let here = renamed_texts(old).into_iter().map(|(print, last)| (last, print));
        let pairs: Vec<(String, String)> = renamed_texts(new).into_iter().chain(here).collect();
        if pairs.is_empty() {
            continue;
        }
        let (Ok(mut a), Ok(b)) = (old.spec.read::<Value>(), new.spec.read::<Value>()) else { continue };
        if reword(&mut a, &b, &pairs) {
            reworded.push(Node { spec: Spec::of(&a), ..old.clone() });
        }
    }
    let mut rest = reworded.into_iter().peekable();
    rest.peek()?;
    let mut nodes = actual.nodes().to_vec();
    // Both are sorted by address.
    for node in &mut nodes {
        if let Some(new) = rest.next_if(|new| new.address == node.address) {
            *node = new;
        }
    }
    Some(Model::new(nodes))
}

/// Pairs of texts under the old names and under the new ones, where the server has one print each: what it printed so
/// before the renames it prints so after them.
fn renamed_texts(node: &Node) -> Vec<(String, String)> {
    let is_only = |(print, last): &&(String, String)| {
        let mut all = node.prints.iter().chain(&node.old_prints).filter(|(_, other)| other == last);
        all.all(|(other, _)| other == print)
    };
    node.old_prints.iter().filter(is_only).cloned().collect()
}

/// Whether anything was put in other words.
fn reword(live: &mut Value, desired: &Value, prints: &[(String, String)]) -> bool {
    match (live, desired) {
        (Value::String(a), Value::String(b)) => {
            let means_the_same = a != b && prints.iter().any(|(print, last)| print == a && last == b);
            if means_the_same {
                b.clone_into(a);
            }
            means_the_same
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter_mut().zip(b).fold(false, |any, (a, b)| reword(a, b, prints) || any)
        }
        (Value::Object(a), Value::Object(b)) => {
            let pairs = a.iter_mut().filter_map(|(key, a)| Some((a, b.get(key)?)));
            pairs.fold(false, |any, (a, b)| reword(a, b, prints) || any)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{diff, differ, MANY};
    use crate::model::{Address, Model, Node, Spec};

    #[test]
    fn halves_are_the_whole() {
        let nodes = |from: usize, to: usize| {
            let address = |n| Address::root("schema", &format!("{n:05}"));
            Model::new((from..to).map(|n| Node::new(address(n), Spec::from_json("{}"))).collect())
        };
        let (actual, desired) = (nodes(1, MANY + 100), nodes(0, MANY + 98));
        let found: Vec<String> =
            diff(&actual, &desired).iter().filter_map(|d| d.node()).map(|n| n.address.path()).collect();
        assert_eq!(found, ["schema 00000", "schema 20098", "schema 20099"]);
        assert_eq!(diff(&nodes(0, MANY), &Model::default()).len(), MANY);
        assert_eq!(diff(&Model::default(), &nodes(0, MANY)).len(), MANY);
    }

    #[test]
    fn texts_of_one_meaning_are_equal() {
        let node = |spec: &str| Node::new(Address::root("schema", "a"), Spec::from_json(spec));
        let mut desired = node(r#"{"expression":"b"}"#);
        desired.prints = vec![("a".into(), "b".into())];
        let desired = Model::new(vec![desired]);
        assert!(diff(&Model::new(vec![node(r#"{"expression":"a"}"#)]), &desired).is_empty());
        assert_eq!(diff(&Model::new(vec![node(r#"{"expression":"c"}"#)]), &desired).len(), 1);
        assert_eq!(diff(&Model::default(), &desired).len(), 1);
        assert!(differ(&Model::default(), &desired) && !differ(&desired, &desired));
    }
}
