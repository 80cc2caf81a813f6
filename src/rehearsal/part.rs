//! The part of the actual state that a plan has to do with: what it touches, what that rests on, and what depends on
//! it and could stand in its way.

use super::failure::holds_data;
use super::{Stop, Subject, Tried};
use crate::compile::{closure::closure, Bodies, Mix};
use crate::kinds;
use crate::model::{Address, Model, Node};
use crate::plan::{self, Draft};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many things that a plan does not touch are taken along because they depend on what it touches. A table that
/// thousands refer to has them all alike.
const DEPENDENTS: usize = 100;

/// What is rebuilt in scratch.
#[derive(Clone)]
pub struct Part {
    /// The live nodes, facets and all, without reference rows.
    pub model: Model,
    /// The reference rows that are there.
    pub rows: Vec<Node>,
    /// The addresses of both, and of what the plan creates or renames, by the names that the plan leaves behind.
    pub after: BTreeSet<Address>,
    /// Every role that any of it names.
    pub roles: BTreeSet<String>,
    /// Those to whom any of it belongs.
    pub owners: BTreeSet<String>,
    /// Every extension that any of it needs.
    pub extensions: BTreeSet<String>,
    /// Those of them that nobody declared.
    pub lacking: BTreeSet<String>,
}

impl Part {
    pub fn of(subject: &Subject<'_>, draft: &Draft) -> Self {
        let actual = &subject.live.model;
        let before = |address: &Address| draft.renames.iter().rev().fold(address.clone(), |at, (a, b)| at.moved(b, a));
        let after = |address: &Address| draft.renames.iter().fold(address.clone(), |at, (a, b)| at.moved(a, b));
        // The way back may take down what the way there did not have to.
        let back = draft.plan.batches.iter().flat_map(|batch| &batch.undo).flat_map(|undo| &undo.steps);
        let back = back.filter_map(|step| plan::address_of(&step.at));
        let touched: BTreeSet<Address> = draft.touched.iter().cloned().chain(back).map(|a| before(&a)).collect();

        let mut roots: BTreeSet<Address> = BTreeSet::new();
        for address in &touched {
            // Whatever hangs on a table acts on its rows.
            let whole = kinds::relation::table_of(address).pop().unwrap_or_else(|| address.clone());
            match whole.parent() {
                Some(_) => roots.extend(actual.subtree(&whole).map(|n| n.address.clone())),
                None => drop(roots.insert(whole.clone())),
            }
        }
        let made: Vec<&Node> = draft.touched.iter().filter_map(|address| draft.after.get(address)).collect();
        for node in &made {
            roots.extend(node.address.parent().iter().chain(&node.needs).map(before));
        }
        roots.extend(dependents(actual, &touched));
        // Every new database has them, and their grants count.
        roots.extend(
            actual.nodes().iter().filter(|n| kinds::kind_of(&n.address).is_given(n)).map(|n| n.address.clone()),
        );

        let bodies = Mix::of(actual, Bodies::Run);
        let mut part = closure(&bodies, &roots);
        // No body tells what of an extension it uses.
        if part.nodes().iter().any(|n| kinds::kind_of(&n.address).untracked(n).is_some()) {
            roots.extend(actual.roots_of("extension").iter().map(|n| n.address.clone()));
            part = closure(&bodies, &roots);
        }
        let mut nodes = part.into_nodes();
        // A statement that looks through a table for what refers to nothing lifts its row security meanwhile.
        let known: BTreeSet<Address> = nodes.iter().map(|n| n.address.clone()).collect();
        let security = known.iter().filter(|a| a.kind() == "table").map(|table| table.child("row security", ""));
        nodes.extend(security.filter(|a| !known.contains(a)).filter_map(|a| actual.get(&a)).cloned());
        let tables: Vec<&Node> = nodes.iter().filter(|n| kinds::kind_of(&n.address).holds_rows()).collect();
        let rows: Vec<Node> = tables
            .iter()
            .flat_map(|t| actual.children(&t.address))
            .filter(|n| holds_data(&n.address))
            .cloned()
            .collect();
        nodes.retain(|node| !holds_data(&node.address));
        let lacking = lacking(&nodes, actual);
        let extensions: BTreeSet<String> = nodes
            .iter()
            .chain(made.iter().copied())
            .filter(|n| n.address.kind() == "extension")
            .map(|n| n.address.name().to_owned())
            .chain(lacking.iter().cloned())
            .collect();
        Self {
            after: nodes.iter().chain(&rows).map(|n| after(&n.address)).chain(draft.touched.iter().cloned()).collect(),
            owners: nodes
                .iter()
                .chain(made.iter().copied())
                .filter_map(|n| n.owner.as_deref())
                .map(str::to_owned)
                .collect(),
            roles: nodes.iter().chain(made).flat_map(kinds::roles).collect(),
            model: Model::new(nodes),
            rows,
            extensions,
            lacking,
        }
    }

    /// The part as it can be built where some roles are missing: without what belongs to them or is granted to them.
    ///
    /// # Errors
    /// What the plan changes names one of them.
    pub fn without(&self, missing: &BTreeSet<String>, draft: &Draft) -> Tried<Self> {
        if missing.is_empty() {
            return Ok(self.clone());
        }
        let names = |node: &Node| kinds::roles(node).into_iter().find(|role| missing.contains(role));
        let before = draft.touched.iter().filter_map(|address| self.model.get(address));
        let after = draft.touched.iter().filter_map(|address| draft.after.get(address));
        if let Some(role) = before.chain(after).find_map(names) {
            return Err(Stop::Unable(format!("role {role} does not exist on the scratch server")));
        }
        let nodes = self.model.nodes().iter().cloned().map(|mut node| {
            node.owner = node.owner.filter(|owner| !missing.contains(&**owner));
            if let Some(grants) = &mut node.grants {
                Arc::make_mut(grants).0.retain(|role, _| !missing.contains(role));
            }
            node
        });
        Ok(Self { model: Model::new(nodes.collect()), ..self.clone() })
    }
}

/// Extensions that are needed and not declared.
fn lacking(nodes: &[Node], actual: &Model) -> BTreeSet<String> {
    let needs = nodes.iter().flat_map(|n| &n.needs).filter(|need| need.kind() == "extension");
    needs.filter(|need| actual.get(need).is_none()).map(|need| need.name().to_owned()).collect()
}

/// What depends on something touched and is not touched itself, in the order of addresses.
fn dependents(actual: &Model, touched: &BTreeSet<Address>) -> Vec<Address> {
    // Without what stands below another, what a need is within is the one before it in the order of the tree.
    let mut tops: Vec<&Address> = Vec::new();
    for address in touched {
        if !tops.last().is_some_and(|top| address.is_within(top)) {
            tops.push(address);
        }
    }
    let hit = |need: &Address| {
        let at = tops.partition_point(|top| *top <= need);
        at.checked_sub(1).and_then(|at| tops.get(at)).is_some_and(|top| need.is_within(top))
    };
    let depends = |node: &&Node| !touched.contains(&node.address) && node.needs.iter().any(hit);
    actual.nodes().iter().filter(depends).take(DEPENDENTS).map(|n| n.address.clone()).collect()
}
