//! Nodes and models.

use super::{Address, Grants};
use serde::{de::DeserializeOwned, Deserialize, Serialize};
use std::sync::Arc;

/// What a kind knows of one thing, as the canonical JSON of that kind's typed spec. Two specs are
/// equal exactly if their texts are; only the kind itself reads what is inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec(Arc<str>);

impl Spec {
    /// The canonical text of a typed spec.
    pub fn of<T: Serialize>(typed: &T) -> Self {
        // Specs are plain structs with string keys: serialising one cannot fail.
        Self(serde_json::to_string(typed).unwrap_or_default().into())
    }

    pub fn from_json(text: &str) -> Self {
        Self(text.into())
    }

    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// The typed form.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }
}

/// One thing in a database: its spec, and the facets that every kind may have.
#[derive(Clone, Debug)]
pub struct Node {
    pub address: Address,
    pub spec: Spec,
    /// The owning role; None where the kind has no owner or the declaration leaves it unmanaged.
    pub owner: Option<Box<str>>,
    pub comment: Option<Box<str>>,
    /// Who may use it; None where the kind has no ACL or the declaration leaves it unmanaged.
    pub grants: Option<Arc<Grants>>,
    /// Physical position among its siblings (columns): orders what is created, is never compared.
    pub order: u32,
    /// What it depends on, besides its parent.
    pub needs: Vec<Address>,
    /// How to get there from other states; never compared, no-ops once fulfilled.
    pub hints: Option<Box<Hints>>,
    /// Other texts that the server prints for the same thing, each with the one in the spec.
    pub prints: Vec<(String, String)>,
    /// Texts that the server prints for it while a declared rename is still to be done, likewise.
    pub old_prints: Vec<(String, String)>,
}

/// What a declaration says about the way from an older state, and what is state in a live thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hints {
    /// The name it had before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// An expression for rows that exist already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backfill: Option<String>,
    /// An expression that turns old values into new ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub convert: Option<String>,
    /// For enums: old label to new label.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub labels: std::collections::BTreeMap<String, String>,
    /// For materialized views: created without rows; of a live one, that it has none now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_data: bool,
}

impl Node {
    pub fn new(address: Address, spec: Spec) -> Self {
        Self {
            address,
            spec,
            owner: None,
            comment: None,
            grants: None,
            order: 0,
            needs: Vec::new(),
            hints: None,
            prints: Vec::new(),
            old_prints: Vec::new(),
        }
    }

    /// Its address and spec alone.
    pub fn bare(&self) -> Self {
        Self::new(self.address.clone(), self.spec.clone())
    }
}

/// Nodes sorted by address, each address once.
#[derive(Clone, Debug, Default)]
pub struct Model {
    nodes: Vec<Node>,
}

impl Model {
    /// Sorts the nodes; of several with one address the last wins.
    pub fn new(mut nodes: Vec<Node>) -> Self {
        if nodes.is_sorted_by(|a, b| a.address < b.address) {
            return Self { nodes };
        }
        nodes.sort_by(|a, b| a.address.cmp(&b.address));
        nodes.reverse();
        nodes.dedup_by(|a, b| a.address == b.address);
        nodes.reverse();
        Self { nodes }
    }

    /// Puts nodes into order by what they stand below, which takes far fewer comparisons than to sort them by their
    /// addresses. `parents`: for each node the place of its parent among the nodes, or its own if it has none.
    pub fn of_tree(mut nodes: Vec<Node>, parents: &[usize]) -> Self {
        let roots = || parents.iter().enumerate().filter(|(at, parent)| at == *parent).map(|(at, _)| at);
        // The children of the node at n are those from starts[n] on, to starts[n + 1].
        let mut starts = vec![0; nodes.len() + 2];
        let below = || parents.iter().enumerate().filter(|(at, parent)| at != *parent);
        below().for_each(|(_, parent)| starts[parent + 2] += 1);
        (2..starts.len()).for_each(|at| starts[at] += starts[at - 1]);
        let mut children = vec![0; nodes.len()];
        for (at, parent) in below() {
            children[starts[parent + 1]] = at;
            starts[parent + 1] += 1;
        }
        let in_order = |places: &mut [usize]| {
            places.sort_by(|a, b| nodes[*a].address.cmp(&nodes[*b].address));
            places.windows(2).all(|pair| nodes[pair[0]].address != nodes[pair[1]].address)
        };
        let mut open: Vec<usize> = roots().collect();
        let mut each_once = in_order(&mut open);
        open.reverse();
        let mut order = Vec::with_capacity(nodes.len());
        while let Some(at) = open.pop() {
            order.push(at);
            let own = &mut children[starts[at]..starts[at + 1]];
            each_once &= in_order(own);
            open.extend(own.iter().rev());
        }
        if !each_once {
            return Self::new(nodes);
        }
        // Where each node goes; to go there, it changes places with the one that is there.
        let mut goes = vec![0; nodes.len()];
        order.iter().enumerate().for_each(|(to, from)| goes[*from] = to);
        for at in 0..nodes.len() {
            while goes[at] != at {
                let to = goes[at];
                nodes.swap(at, to);
                goes.swap(at, to);
            }
        }
        Self { nodes }
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub fn get(&self, address: &Address) -> Option<&Node> {
        let at = self.nodes.binary_search_by(|n| n.address.cmp(address)).ok()?;
        self.nodes.get(at)
    }

    /// Those of one kind that have no parent.
    pub fn roots_of(&self, kind: &str) -> &[Node] {
        let first = Address::root(kind, "");
        let start = self.nodes.partition_point(|n| n.address < first);
        let count = self.nodes[start..].iter().take_while(|n| n.address.begins_with(&first)).count();
        &self.nodes[start..start + count]
    }

    /// Gives a node another spec; nothing if there is none of that address.
    pub fn respec(&mut self, address: &Address, spec: Spec) {
        if let Ok(at) = self.nodes.binary_search_by(|n| n.address.cmp(address)) {
            self.nodes[at].spec = spec;
        }
    }

    /// Gives a node a comment; nothing if there is none of that address.
    pub fn comment(&mut self, address: &Address, text: String) {
        if let Ok(at) = self.nodes.binary_search_by(|n| n.address.cmp(address)) {
            self.nodes[at].comment = Some(text.into());
        }
    }

    /// The node and all that stands below it.
    pub fn subtree<'a>(&'a self, address: &'a Address) -> impl Iterator<Item = &'a Node> {
        let start = self.nodes.partition_point(|n| n.address < *address);
        self.nodes[start..].iter().take_while(move |n| n.address.is_within(address))
    }

    /// The direct children of a node.
    pub fn children<'a>(&'a self, address: &Address) -> impl Iterator<Item = &'a Node> + use<'a> {
        let depth = address.depth() + 1;
        let start = self.nodes.partition_point(|n| n.address < *address);
        let end = start + self.nodes[start..].iter().take_while(|n| n.address.is_within(address)).count();
        self.nodes[start..end].iter().filter(move |n| n.address.depth() == depth)
    }

    /// The direct children of one kind, without a look at the others.
    pub fn children_of<'a>(&'a self, address: &Address, kind: &str) -> impl Iterator<Item = &'a Node> + use<'a> {
        let depth = address.depth() + 1;
        let first = address.child(kind, "");
        let start = self.nodes.partition_point(|n| n.address < first);
        let there = self.nodes[start..].iter().take_while(move |n| n.address.begins_with(&first));
        there.filter(move |n| n.address.depth() == depth)
    }

    pub fn into_nodes(self) -> Vec<Node> {
        self.nodes
    }
}

#[cfg(test)]
mod tests {
    use super::{Model, Node, Spec};
    use crate::model::Address;

    #[test]
    fn a_tree_is_in_order() {
        let root = Address::root("schema", "app");
        let (a, b) = (root.child("table", "a"), root.child("table", "a b"));
        let nodes = |addresses: &[&Address]| -> Vec<Node> {
            addresses.iter().map(|a| Node::new((*a).clone(), Spec::from_json("{}"))).collect()
        };
        let (x, y, z) = (a.child("column", "x"), b.child("column", "y"), b.child("check", "z"));
        let other = Address::root("extension", "e");
        let tree = [&root, &b, &a, &y, &x, &z, &other];
        let addresses = |model: Model| model.nodes().iter().map(|n| n.address.clone()).collect::<Vec<_>>();
        let sorted = addresses(Model::new(nodes(&tree)));
        assert_eq!(addresses(Model::of_tree(nodes(&tree), &[0, 0, 0, 1, 2, 1, 6])), sorted);
        let twice = [&root, &b, &a, &y, &x, &z, &other, &a];
        assert_eq!(addresses(Model::of_tree(nodes(&twice), &[0, 0, 0, 1, 2, 1, 6, 0])), sorted);
        assert_eq!(addresses(Model::of_tree(Vec::new(), &[])), []);
    }

    #[test]
    fn children_of_one_kind_stand_together() {
        let table = Address::root("schema", "app").child("table", "a");
        let below = |kind: &str, name: &str| table.child(kind, name);
        let addresses = [
            table.clone(),
            below("column", "x"),
            below("column", "y").child("row", "not a direct one"),
            below("primary key", "p"),
            below("row", ""),
            below("row", "1"),
            below("row security", ""),
            Address::root("schema", "app").child("table", "a b").child("row", "1"),
        ];
        let model = Model::new(addresses.into_iter().map(|a| Node::new(a, Spec::from_json("{}"))).collect());
        for (kind, count) in [("column", 1), ("row", 2), ("row security", 1), ("check", 0)] {
            let found: Vec<&Address> = model.children_of(&table, kind).map(|n| &n.address).collect();
            let wanted: Vec<&Address> =
                model.children(&table).filter(|n| n.address.kind() == kind).map(|n| &n.address).collect();
            assert_eq!((&found, found.len()), (&wanted, count), "{kind}");
        }
    }
}
