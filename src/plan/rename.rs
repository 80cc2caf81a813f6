//! Renames: declared by `was`, never guessed. Names of what belongs to a renamed table or column (keys, sequences,
//! stamped indexes) follow.

use crate::diff::same_spec;
use crate::kinds::{self, Change};
use crate::model::{Address, Model, Node};
use std::borrow::Cow;

/// One rename: from where to where, and the statement; None where PostgreSQL carries it along.
pub struct Rename {
    pub from: Address,
    pub to: Address,
    pub up: Option<Change>,
    /// What of another kind has the new name when its turn comes: tables and types share their names.
    pub meets: Option<Address>,
}

/// Finds the renames that are still to be done and returns the actual model as it will be after them.
pub fn renames<'a>(actual: &'a Model, desired: &Model, major: u32) -> (Vec<Rename>, Cow<'a, Model>) {
    let mut renames = Vec::new();
    let mut model = Cow::Borrowed(actual);
    // Parents come before children in the model's order.
    for node in desired.nodes() {
        let Some(was) = node.hints.as_ref().and_then(|h| h.was.as_deref()) else { continue };
        let from = node.address.renamed(was);
        if from == node.address || model.get(&node.address).is_some() || desired.get(&from).is_some() {
            continue;
        }
        let Some(done) = rename(&model, &from, &node.address) else { continue };
        model = Cow::Owned(moved(&model, &from, &node.address, major));
        let (old, new) = (from.name().to_owned(), node.address.name().to_owned());
        renames.push(done);
        for (before, after) in carried(&model, &from, &node.address) {
            model = Cow::Owned(moved(&model, &before, &after, major));
            renames.push(Rename { from: before, to: after, up: None, meets: None });
        }
        for (from, to) in followers(&model, desired, &node.address, &old, &new) {
            if let Some(done) = rename(&model, &from, &to) {
                model = Cow::Owned(moved(&model, &from, &to, major));
                renames.push(done);
            }
        }
    }
    (renames, model)
}

/// The rename from one address to another; None if there is nothing, nothing that can be renamed, or a routine that has
/// the same name with other arguments.
fn rename(model: &Model, from: &Address, to: &Address) -> Option<Rename> {
    let node = model.get(from).filter(|_| !kinds::routine::same_shape(from, to))?;
    let up = kinds::kind_of(from).rename(node, to.name())?;
    Some(Rename { from: from.clone(), to: to.clone(), up: Some(up), meets: meets(model, node, to) })
}

/// What has a name in the space in which a node is to have it.
fn meets(model: &Model, node: &Node, to: &Address) -> Option<Address> {
    let slots = |node: &Node| kinds::kind_of(&node.address).slots(node);
    let wanted = slots(&Node { address: to.clone(), ..node.clone() });
    let siblings = to.parent().filter(|_| !wanted.is_empty()).into_iter().flat_map(|parent| model.children(&parent));
    let mut others = siblings.filter(|other| other.address != node.address);
    others.find(|other| slots(other).iter().any(|slot| wanted.contains(slot))).map(|other| other.address.clone())
}

/// One of those that [`renames`] found, the other way round.
pub fn again(model: &Model, from: &Address, to: &Address) -> Option<Rename> {
    let carried = || Rename { from: from.clone(), to: to.clone(), up: None, meets: None };
    rename(model, from, to)
        .or_else(|| (model.get(from).is_some() && kinds::routine::same_shape(from, to)).then(carried))
}

/// Routines over a type that got another name: that is in their addresses, and PostgreSQL has it there by itself.
fn carried(model: &Model, from: &Address, to: &Address) -> Vec<(Address, Address)> {
    let over = model.nodes().iter().filter(|node| node.needs.contains(to));
    let retyped = |node: &Node| Some((node.address.clone(), kinds::routine::retyped(&node.address, from, to)?));
    over.filter_map(retyped).filter(|(_, after)| model.get(after).is_none()).collect()
}

/// An address once something was renamed.
pub fn follow(address: &Address, from: &Address, to: &Address) -> Address {
    kinds::routine::retyped(address, from, to).unwrap_or_else(|| address.moved(from, to))
}

/// Live things below or about the renamed one that are declared under another name: one that has the new name in
/// the stead of the old one, or else, as derived names are cut and numbered, one that says the very same.
fn followers(model: &Model, desired: &Model, renamed: &Address, old: &str, new: &str) -> Vec<(Address, Address)> {
    let relation = kinds::relation::table_of(renamed).pop().unwrap_or_else(|| renamed.clone());
    let below = |node: &Node| node.address.is_within(&relation);
    let about = |node: &Node| below(node) || node.needs.iter().any(|need| need.is_within(renamed));
    let mut found: Vec<(Address, Address)> = Vec::new();
    let live: Vec<&Node> = model
        .nodes()
        .iter()
        .filter(|node| node.address != *renamed && about(node) && desired.get(&node.address).is_none())
        .collect();
    let free = |to: &Address, found: &[(Address, Address)]| {
        desired.get(to).is_some() && model.get(to).is_none() && !found.iter().any(|(_, taken)| taken == to)
    };
    for node in &live {
        let mut named = replacements(node.address.name(), old, new).into_iter().map(|name| node.address.renamed(&name));
        if let Some(to) = named.find(|to| free(to, &found)) {
            found.push((node.address.clone(), to));
        }
    }
    // What only depends on it has a name of its own.
    let own = |node: &&&Node| below(node) || kinds::kind_of(&node.address).follows_owner(node);
    let rest: Vec<&Node> =
        live.iter().filter(own).copied().filter(|n| !found.iter().any(|(f, _)| *f == n.address)).collect();
    for node in &rest {
        let twin = |other: &&Node| {
            other.address.kind() == node.address.kind()
                && other.address.parent() == node.address.parent()
                && same_under_old_names(node, other)
        };
        let mut twins = desired.nodes().iter().filter(twin).filter(|other| free(&other.address, &[]));
        let (Some(to), None) = (twins.next(), twins.next()) else { continue };
        let alone = rest.iter().filter(|other| same_under_old_names(other, to)).count() == 1;
        if alone && free(&to.address, &found) {
            found.push((node.address.clone(), to.address.clone()));
        }
    }
    found
}

/// The name with the new part in the stead of the old one: everywhere, or else in one place.
fn replacements(name: &str, old: &str, new: &str) -> Vec<String> {
    let one = name.match_indices(old).map(|(at, _)| format!("{}{new}{}", &name[..at], &name[at + old.len()..]));
    std::iter::once(name.replace(old, new)).chain(one).filter(|now| now != name).collect()
}

/// Whether a live node says what the desired one does, as far as the server's prints tell before the renames.
fn same_under_old_names(live: &Node, desired: &Node) -> bool {
    let mut desired = desired.clone();
    desired.prints.append(&mut desired.old_prints);
    same_spec(live, &desired)
}

/// The desired model as it compares while renames are to be done: what the server prints under the old
/// names means the same.
pub fn under_old_names(desired: &Model) -> Model {
    let nodes = desired.nodes().iter().cloned().map(|mut node| {
        node.prints.extend_from_slice(&node.old_prints);
        node
    });
    Model::new(nodes.collect())
}

/// Renames back to the old names, for finding out what the server prints under them: first what is
/// declared, then the names that follow.
pub fn backwards(model: &Model) -> (Vec<Rename>, Vec<Rename>) {
    let mut declared = Vec::new();
    let mut following = Vec::new();
    for node in model.nodes() {
        let Some(was) = node.hints.as_ref().and_then(|h| h.was.as_deref()) else { continue };
        let to = node.address.renamed(was);
        if to == node.address || model.get(&to).is_some() {
            continue;
        }
        declared.extend(rename(model, &node.address, &to));
        for other in model.nodes() {
            let about =
                other.address.is_within(&node.address) || other.needs.iter().any(|need| need.is_within(&node.address));
            let name = other.address.name().replace(node.address.name(), was);
            if other.address != node.address
                && about
                && name != other.address.name()
                && other.hints.as_ref().is_none_or(|h| h.was.is_none())
            {
                following.extend(rename(model, &other.address, &other.address.renamed(&name)));
            }
        }
    }
    // Children go first: a statement names the parent by the name it has then.
    declared.reverse();
    (declared, following)
}

/// The model with everything at or below `from` moved to `to`.
pub fn moved(model: &Model, from: &Address, to: &Address, major: u32) -> Model {
    let nodes = model.nodes().iter().cloned().map(|mut node| {
        let now = node.address.moved(from, to);
        let before = std::mem::replace(&mut node.address, now);
        if before != node.address {
            if let Some(spec) = kinds::kind_of(&node.address).moved(&node, &before, major) {
                node.spec = spec;
            }
        }
        for need in &mut node.needs {
            *need = need.moved(from, to);
        }
        node
    });
    Model::new(nodes.collect())
}
