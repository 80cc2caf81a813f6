//! Builds the plan: renames, fates, order, transactions, and the way back of each.

use super::expand::fates;
use super::file::{Batch, HazardNote, Step, TableLock};
use super::fingerprint;
use super::graph::{order, Op, Verb};
use super::rename::{moved, renames, under_old_names, Rename};
use crate::catalog::{Surroundings, Unmanaged};
use crate::error::Result;
use crate::kinds::relation::relation;
use crate::kinds::{facet, Change, Hazard, Lock, Scope};
use crate::model::{Address, Hints, Model, Node};
use std::collections::{BTreeMap, BTreeSet};

/// What a plan is made from.
pub struct Input<'a> {
    pub actual: &'a Model,
    pub desired: &'a Model,
    pub unmanaged: &'a Unmanaged,
    pub surroundings: &'a Surroundings,
    pub major: u32,
}

/// The batches of a plan and the addresses they touch.
pub struct Built {
    pub batches: Vec<Batch>,
    pub touched: BTreeSet<Address>,
    /// The model that the plan leaves behind.
    pub after: Model,
    /// The paths that each batch but the last changes.
    pub changed: Vec<BTreeSet<String>>,
}

/// Plans the way from the actual to the desired model, and back.
pub fn build(input: &Input) -> Result<Built> {
    let mut built = forward(input)?;
    let mut before = input.actual.clone();
    let none = Unmanaged::default();
    let mut changed = Vec::new();
    for (batch, after) in built.batches.iter_mut().zip(std::mem::take(&mut built.states)) {
        let back = Input {
            actual: &after,
            desired: &before,
            unmanaged: &none,
            surroundings: input.surroundings,
            major: input.major,
        };
        match forward_named(&back, &batch.renames) {
            Ok(undo) => batch.batch.undo = undo.batches.into_iter().map(|b| b.batch).collect(),
            Err(error) => batch.batch.no_undo = Some(error.to_string()),
        }
        changed.push(changes(&before, &after, &batch.renames));
        before = after;
    }
    changed.pop();
    let batches = built.batches.into_iter().map(|b| b.batch).collect();
    Ok(Built { batches, touched: built.touched, after: before, changed })
}

/// The paths that a batch changes: where the models differ, and what prints the name of something renamed.
fn changes(before: &Model, after: &Model, renames: &[(Address, Address)]) -> BTreeSet<String> {
    let mut paths = fingerprint::changed(before, after);
    for (new, _) in renames {
        let prints = |node: &&crate::model::Node| node.needs.iter().any(|need| need.is_within(new));
        paths.extend(after.nodes().iter().filter(prints).map(|node| node.address.path()));
    }
    paths
}

/// The steps alone, in one row: what scratch runs.
pub fn steps(input: &Input) -> Result<Vec<Step>> {
    Ok(forward(input)?.batches.into_iter().flat_map(|cut| cut.batch.steps).collect())
}

#[derive(Default)]
struct Cut {
    batch: Batch,
    /// Renames in this batch, backwards: from the new to the old address.
    renames: Vec<(Address, Address)>,
    /// The strongest lock on each relation.
    locks: BTreeMap<Address, Lock>,
}

impl Cut {
    fn note_locks(&mut self, changes: &[Change]) {
        note_locks(&mut self.locks, changes);
    }

    /// Writes down the locks on tables that were live before the plan.
    fn seal_locks(&mut self, live: &Model) {
        let back = |address: &Address| self.renames.iter().fold(address.clone(), |at, (new, old)| at.moved(new, old));
        let mut locks = Vec::new();
        for (address, mode) in &self.locks {
            let address = back(address);
            if *mode > Lock::RowExclusive
                && crate::kinds::kind_of(&address).holds_rows()
                && live.get(&address).is_some()
            {
                locks.push(TableLock { table: relation(&address), mode: *mode });
            }
        }
        self.batch.locks = locks;
    }
}

fn note_locks(locks: &mut BTreeMap<Address, Lock>, changes: &[Change]) {
    for change in changes {
        for address in &change.on {
            let strongest = locks.entry(address.clone()).or_default();
            *strongest = (*strongest).max(change.lock);
        }
    }
}

struct Forward {
    batches: Vec<Cut>,
    /// The model after each batch.
    states: Vec<Model>,
    touched: BTreeSet<Address>,
}

fn forward(input: &Input) -> Result<Forward> {
    let (renames, renamed) = renames(input.actual, input.desired, input.major);
    if renames.is_empty() {
        return ordered(input, renames, &renamed);
    }
    let desired = under_old_names(input.desired);
    ordered(&Input { desired: &desired, ..*input }, renames, &renamed)
}

/// With renames that are known already, as on the way back.
fn forward_named(input: &Input, named: &[(Address, Address)]) -> Result<Forward> {
    let mut model = input.actual.clone();
    let mut renames = Vec::new();
    for (from, to) in named.iter().rev() {
        let up = model.get(from).and_then(|node| crate::kinds::kind_of(from).rename(node, to.name()));
        if let Some(up) = up {
            renames.push(Rename { from: from.clone(), to: to.clone(), up });
            model = moved(&model, from, to, input.major);
        }
    }
    ordered(input, renames, &model)
}

fn ordered(input: &Input, renames: Vec<Rename>, renamed: &Model) -> Result<Forward> {
    let surroundings = input.surroundings;
    let sizes = |address: &Address| {
        let live = renames.iter().rev().fold(address.clone(), |at, rename| at.moved(&rename.to, &rename.from));
        surroundings.sizes.get(&live).copied().unwrap_or(0)
    };
    let default_grants = |class: char, schema: &str| surroundings.grants(class, schema);
    let scope = Scope {
        actual: renamed,
        desired: input.desired,
        major: input.major,
        sizes: &sizes,
        default_grants: &default_grants,
    };
    let unmanaged =
        input.unmanaged.moved(&|address| renames.iter().fold(address.clone(), |at, r| at.moved(&r.from, &r.to)));
    let fates = fates(&scope, &unmanaged)?;
    let ops = order(&fates, &scope)?;
    let mut touched: BTreeSet<Address> = fates.keys().cloned().collect();
    touched.extend(renames.iter().map(|r| r.from.clone()));

    let mut cuts: Vec<Cut> = Vec::new();
    let mut states: Vec<Model> = Vec::new();
    let mut state = State::default();
    let mut cut = Cut::default();
    for rename in &renames {
        cut.note_locks(std::slice::from_ref(&rename.up));
        cut.batch.steps.push(step("rename", &rename.to, std::slice::from_ref(&rename.up), &sizes));
        cut.renames.push((rename.to.clone(), rename.from.clone()));
    }
    let mut pending = false;
    let mut validations: Vec<Step> = Vec::new();
    let mut validation_locks = BTreeMap::new();
    for op in &ops {
        let (later, now): (Vec<Change>, Vec<Change>) = op.changes.iter().cloned().partition(|c| c.deferred);
        let ends = now.iter().any(|c| c.commit_after);
        if pending && !ends {
            states.push(state.model(renamed));
            cuts.push(std::mem::take(&mut cut));
            pending = false;
        }
        pending |= ends;
        if !now.is_empty() {
            cut.note_locks(&now);
            cut.batch.steps.push(step(verb(op), &op.address, &now, &sizes));
        }
        if !later.is_empty() {
            note_locks(&mut validation_locks, &later);
            validations.push(step("validate", &op.address, &later, &sizes));
        }
        state.apply(op, renamed, input.desired);
    }
    if !cut.batch.steps.is_empty() {
        states.push(state.model(renamed));
        cuts.push(cut);
    }
    if !validations.is_empty() {
        states.push(state.model(renamed));
        cuts.push(Cut {
            batch: Batch { steps: validations, ..Batch::default() },
            renames: Vec::new(),
            locks: validation_locks,
        });
    }
    cuts.iter_mut().for_each(|cut| cut.seal_locks(input.actual));
    Ok(Forward { batches: cuts, states, touched })
}

/// How the model differs from the start after some operations.
#[derive(Default)]
struct State {
    gone: BTreeSet<Address>,
    made: BTreeMap<Address, Node>,
}

impl State {
    fn apply(&mut self, op: &Op, actual: &Model, desired: &Model) {
        match op.verb {
            Verb::Drop => {
                // A swap's drop comes after its create: the new one stays.
                if op.replaces || desired.get(&op.address).is_none() {
                    self.gone.extend(actual.subtree(&op.address).map(|n| n.address.clone()));
                    self.gone.insert(op.address.clone());
                    let within = self
                        .made
                        .range(op.address.clone()..)
                        .map(|(address, _)| address)
                        .take_while(|a| a.is_within(&op.address));
                    for address in within.cloned().collect::<Vec<_>>() {
                        self.made.remove(&address);
                    }
                }
            }
            Verb::Create | Verb::Alter => {
                for address in op.riders.iter().chain([&op.address]) {
                    if let Some(new) = desired.get(address) {
                        let anew = self.gone.contains(address);
                        self.made.insert(address.clone(), merged(actual.get(address), new, anew));
                    }
                }
            }
            Verb::Release => {}
        }
    }

    /// The whole model.
    fn model(&self, actual: &Model) -> Model {
        let kept =
            actual.nodes().iter().filter(|n| !self.gone.contains(&n.address) && !self.made.contains_key(&n.address));
        Model::new(kept.chain(self.made.values()).cloned().collect())
    }
}

/// The desired node with the facets that it leaves unmanaged as they are, even if it is made anew.
fn merged(old: Option<&Node>, new: &Node, anew: bool) -> Node {
    let mut node = facet::inherited(new, old);
    if let Some(old) = old.filter(|_| !anew) {
        node.order = old.order;
    }
    // What became of labels is asked again on the way back, and so is whether there are rows.
    let hints = node.hints.take().map(|hints| Hints {
        labels: hints.labels,
        without_data: hints.without_data,
        ..Hints::default()
    });
    node.hints = hints.filter(|hints| *hints != Hints::default()).map(Box::new);
    node
}

fn verb(op: &Op) -> &'static str {
    match op.verb {
        Verb::Release => "release",
        Verb::Create => "create",
        Verb::Alter => "alter",
        Verb::Drop => "drop",
    }
}

fn step(verb: &str, address: &Address, changes: &[Change], sizes: &dyn Fn(&Address) -> u64) -> Step {
    let lock = changes.iter().map(|c| c.lock).max().unwrap_or_default();
    let mut on: Vec<&Address> =
        changes.iter().filter(|c| c.lock == lock && lock != Lock::None).flat_map(|c| &c.on).collect();
    on.sort();
    on.dedup();
    let live: Vec<String> =
        on.into_iter().filter(|a| sizes(a) > 0).map(|a| format!("{a} ({})", size(sizes(a)))).collect();
    let mut hazards: Vec<HazardNote> = Vec::new();
    for (hazard, why) in changes.iter().flat_map(|c| &c.hazards) {
        let rows = changes.iter().flat_map(|c| &c.on).map(sizes).max().unwrap_or(0);
        let note = HazardNote { hazard: *hazard, why: why.clone(), needs_leave: hazard.needs_leave(rows) };
        if !hazards.contains(&note) {
            hazards.push(note);
        }
    }
    let lost = hazards.iter().find(|n| n.hazard == Hazard::DataLoss).map(|n| n.why.clone());
    Step {
        verb: verb.to_owned(),
        address: address.to_string(),
        at: address.path(),
        sql: changes.iter().map(|c| c.sql.clone()).collect(),
        lock,
        blocks: if live.is_empty() || lock.blocks() == "nothing" { String::new() } else { lock.blocks().to_owned() },
        on: live,
        hazards,
        irreversible: lost,
        data: changes.iter().enumerate().filter(|(_, c)| c.data).map(|(at, _)| at).collect(),
    }
}

/// 1,234 rows are about 1000.
fn size(rows: u64) -> String {
    let mut power = 1u64;
    while power.saturating_mul(10) <= rows {
        power = power.saturating_mul(10);
    }
    if power == 1 {
        "a few rows".into()
    } else {
        format!("about {power} rows")
    }
}
