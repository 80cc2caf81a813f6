//! A part of a model that stands by itself: some things, and all that they rest on.

use crate::kinds;
use crate::model::{Address, Model, Node};
use std::collections::BTreeSet;

/// Where nodes can be looked up.
pub trait Lookup {
    fn get(&self, address: &Address) -> Option<&Node>;

    /// The direct children of a node.
    fn children(&self, address: &Address) -> Vec<&Node>;

    /// What a node rests on, besides its parent.
    fn needs(&self, node: &Node) -> Vec<Address> {
        node.needs.clone()
    }
}

impl Lookup for Model {
    fn get(&self, address: &Address) -> Option<&Node> {
        Model::get(self, address)
    }

    fn children(&self, address: &Address) -> Vec<&Node> {
        Model::children(self, address).collect()
    }
}

/// The nodes at `roots` with what they need, all that stands above them, and what makes each of these whole (the
/// columns and keys of a table), and so on. Roots that the model does not hold are left out.
///
/// The model must hold what its nodes need: one read without dependencies gives a part that cannot be built.
/// Linear in the size of the part, and in the number of children of what is in it.
pub fn closure<'a>(model: &impl Lookup, roots: impl IntoIterator<Item = &'a Address>) -> Model {
    let reached = reach(model, roots, true);
    Model::new(reached.iter().filter_map(|address| model.get(address)).cloned().collect())
}

/// The addresses that `roots` cannot be without: what they need and what stands above them, and so on. Less than
/// their [`closure`], which makes tables whole.
pub fn needed<'a>(model: &impl Lookup, roots: impl IntoIterator<Item = &'a Address>) -> BTreeSet<Address> {
    reach(model, roots, false)
}

fn reach<'a>(model: &impl Lookup, roots: impl IntoIterator<Item = &'a Address>, whole: bool) -> BTreeSet<Address> {
    let mut seen: BTreeSet<Address> = BTreeSet::new();
    let mut waiting: Vec<Address> = roots.into_iter().cloned().collect();
    while let Some(address) = waiting.pop() {
        let Some(node) = model.get(&address) else { continue };
        if !seen.insert(address.clone()) {
            continue;
        }
        waiting.extend(address.parent());
        waiting.extend(model.needs(node));
        // What has no parent is whole without what stands in it, which may be everything.
        if whole && address.depth() > 1 {
            let children = model.children(&address).into_iter();
            let parts = children.filter(|n| kinds::kind_of(&n.address).completes_parent());
            waiting.extend(parts.map(|n| n.address.clone()));
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::closure;
    use crate::model::{Address, Model, Node, Spec};

    #[test]
    fn a_part_is_whole_and_no_more() {
        let app = Address::root("schema", "app");
        let (a, b, view) = (app.child("table", "a"), app.child("table", "b"), app.child("view", "v"));
        let (domain, function) = (app.child("domain", "d"), app.child("function", "f()"));
        let mut nodes = Vec::new();
        let mut add = |address: &Address, needs: &[&Address]| {
            let needs = needs.iter().map(|n| (*n).clone()).collect();
            nodes.push(Node { needs, ..Node::new(address.clone(), Spec::from_json("{}")) });
        };
        add(&app, &[]);
        add(&domain, &[]);
        add(&function, &[]);
        for table in [&a, &b] {
            add(table, &[]);
            add(&table.child("column", "id"), &[&domain]);
            add(&table.child("primary key", "pkey"), &[&table.child("column", "id")]);
            add(&table.child("index", "i"), &[&table.child("column", "id")]);
            add(&table.child("policy", "p"), &[&function]);
        }
        add(&view, &[&a.child("column", "id")]);
        let part = closure(&Model::new(nodes), [&view, &app.child("view", "gone")]);
        let found: Vec<Address> = part.nodes().iter().map(|n| n.address.clone()).collect();
        let mut wanted =
            vec![app.clone(), domain, view, a.clone(), a.child("column", "id"), a.child("primary key", "pkey")];
        wanted.sort();
        assert_eq!(found, wanted);
    }
}
