//! Labels that are renamed in place: what differs by them alone is not done anew.

use crate::kinds::{self, Relabel};
use crate::model::{Address, Model, Node, Spec};
use std::borrow::Cow;

/// The renames of labels between two models. `printed_as`: the name by which the texts in the first one call a type.
pub fn relabels(actual: &Model, desired: &Model, printed_as: &dyn Fn(&Address) -> Address) -> Vec<Relabel> {
    let of = |new: &Node| {
        let labels = kinds::kind_of(&new.address).renamed_labels(new, actual);
        (!labels.is_empty()).then(|| Relabel::new(new.address.clone(), &printed_as(&new.address), labels))
    };
    desired.nodes().iter().filter_map(of).collect()
}

/// A model as it prints once labels are renamed. What has the labels stays as it is.
pub fn relabelled<'a>(model: &'a Model, relabels: &[&Relabel]) -> Cow<'a, Model> {
    let say = |node: &Node| -> Option<Spec> {
        let kind = kinds::kind_of(&node.address);
        let mut said: Option<Node> = None;
        for relabel in relabels {
            if let Some(spec) = kind.relabelled(said.as_ref().unwrap_or(node), relabel, model) {
                said = Some(Node::new(node.address.clone(), spec));
            }
        }
        said.map(|node| node.spec)
    };
    if relabels.is_empty() {
        return Cow::Borrowed(model);
    }
    let said: Vec<(usize, Spec)> =
        model.nodes().iter().enumerate().filter_map(|(at, node)| Some((at, say(node)?))).collect();
    if said.is_empty() {
        return Cow::Borrowed(model);
    }
    let mut nodes = model.nodes().to_vec();
    for (at, spec) in said {
        nodes[at].spec = spec;
    }
    Cow::Owned(Model::new(nodes))
}
