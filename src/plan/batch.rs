//! Builds the plan: renames, fates, order, transactions, and the way back of each.

use super::expand::fates;
use super::file::{address_of, Batch, HazardNote, Step};
use super::fingerprint;
use super::graph::{order, Op, Verb};
use super::held::{self, Locks};
use super::relabel::{relabelled, relabels};
use super::rename::{again, moved, renames, under_old_names, Rename};
use super::search_path::SearchPath;
use crate::catalog::{Live, Surroundings, Unmanaged};
use crate::diff::{diff, reworded, same_spec, Delta};
use crate::error::{Error, Result};
use crate::kinds::{self, facet, Alter, Change, Hazard, Lock, Relabel, Scope};
use crate::model::{Address, Hints, Model, Node};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// What a plan is made from.
pub struct Input<'a> {
    pub actual: &'a Model,
    pub desired: &'a Model,
    pub unmanaged: &'a Unmanaged,
    pub surroundings: &'a Surroundings,
    pub major: u32,
    /// The search path under which statements run what is declared on rows.
    pub search_path: &'a SearchPath,
}

impl<'a> Input<'a> {
    /// From what was read of a server of this major.
    pub fn of(live: &'a Live, desired: &'a Model, major: u32, search_path: &'a SearchPath) -> Self {
        let Live { model, unmanaged, surroundings, .. } = live;
        Self { actual: model, desired, unmanaged, surroundings, major, search_path }
    }
}

/// The batches of a plan and the addresses they touch.
pub struct Built {
    pub batches: Vec<Batch>,
    pub touched: BTreeSet<Address>,
    /// The model that the plan leaves behind.
    pub after: Model,
    /// The paths that each batch but the last changes.
    pub changed: Vec<BTreeSet<String>>,
    /// From the old to the new addresses, in the order in which they are renamed.
    pub renames: Vec<(Address, Address)>,
}

/// Plans the way from the actual to the desired model, and back. `deltas` is how they differ.
pub fn build(input: &Input, deltas: &[Delta]) -> Result<Built> {
    let mut built = forward(input, deltas, States::Kept)?;
    let renames: Vec<(Address, Address)> =
        built.batches.iter().flat_map(|b| &b.renames).map(|(new, old)| (old.clone(), new.clone())).collect();
    let mut before = Cow::Borrowed(input.actual);
    let mut changed = Vec::new();
    let mut earlier: Vec<(Address, Address)> = Vec::new();
    let last = built.batches.len().saturating_sub(1);
    for (number, (batch, after)) in built.batches.iter_mut().zip(std::mem::take(&mut built.states)).enumerate() {
        let so_far = earlier.iter().chain(&batch.renames).map(|(new, old)| (old.clone(), new.clone()));
        let so_far: Vec<(Address, Address)> = so_far.collect();
        let surroundings = under_new_names(input.surroundings, &so_far);
        // It hangs on what was there before, and so stands in the way back as it does in the way there.
        let unmanaged = hanging_on_new_names(input.unmanaged, &so_far);
        let back =
            Input { actual: &after, desired: &before, unmanaged: &unmanaged, surroundings: &surroundings, ..*input };
        match forward_named(&back, &batch.renames) {
            Ok(undo) => batch.batch.undo = undo.batches.into_iter().map(|cut| cut.batch).collect(),
            Err(error) => batch.batch.no_undo = Some(error.line()),
        }
        earlier.extend(batch.renames.iter().cloned());
        if number < last {
            changed.push(changes(&before, &after, &batch.renames));
        }
        before = Cow::Owned(after);
    }
    let batches = built.batches.into_iter().map(|b| b.batch).collect();
    Ok(Built { batches, touched: built.touched, after: before.into_owned(), changed, renames })
}

/// What is known of live things by the names that they have after renames.
fn under_new_names<'a>(surroundings: &'a Surroundings, renames: &[(Address, Address)]) -> Cow<'a, Surroundings> {
    if renames.is_empty() {
        return Cow::Borrowed(surroundings);
    }
    let sizes = surroundings.sizes.moved(&|address| after(address, renames));
    Cow::Owned(Surroundings { sizes, ..surroundings.clone() })
}

/// What is not managed, by the names that what it hangs on has after renames.
fn hanging_on_new_names<'a>(unmanaged: &'a Unmanaged, renames: &[(Address, Address)]) -> Cow<'a, Unmanaged> {
    if renames.is_empty() {
        return Cow::Borrowed(unmanaged);
    }
    Cow::Owned(unmanaged.moved(&|address| after(address, renames)))
}

fn after(address: &Address, renames: &[(Address, Address)]) -> Address {
    renames.iter().fold(address.clone(), |at, (from, to)| at.moved(from, to))
}

/// The paths that a batch changes: where the models differ, and what prints the name of something renamed, or of a part
/// of it.
fn changes(before: &Model, after: &Model, renames: &[(Address, Address)]) -> BTreeSet<String> {
    let mut paths = fingerprint::changed(before, after);
    let changed: Vec<Address> = paths.iter().filter_map(|path| address_of(path)).collect();
    let parts_renamed = changed.iter().filter(|address| match (before.get(address), after.get(address)) {
        (Some(old), Some(new)) => kinds::kind_of(address).renames_parts(old, new),
        _ => false,
    });
    // What is over that prints it too: the columns of a view are of the types of others.
    let mut next: BTreeSet<Address> = renames.iter().map(|(new, _)| new.clone()).collect();
    next.extend(parts_renamed.cloned());
    let mut printing: BTreeSet<&Address> = BTreeSet::new();
    while !next.is_empty() {
        let is_next = |need: &Address| {
            std::iter::successors(Some(need.clone()), Address::parent).any(|above| next.contains(&above))
        };
        let prints = |node: &&Node| node.needs.iter().any(is_next);
        let found: Vec<&Address> = after.nodes().iter().filter(prints).map(|node| &node.address).collect();
        next = found.into_iter().filter(|address| printing.insert(address)).cloned().collect();
    }
    paths.extend(printing.into_iter().map(Address::path));
    paths
}

/// The steps alone, in one row: what scratch runs.
pub fn steps(input: &Input) -> Result<Vec<Step>> {
    let deltas = diff(input.actual, input.desired);
    Ok(forward(input, &deltas, States::Dropped)?.batches.into_iter().flat_map(|cut| cut.batch.steps).collect())
}

/// What steps are made with.
struct Known<'a> {
    /// Estimated rows of live relations.
    sizes: &'a dyn Fn(&Address) -> u64,
    search_path: &'a SearchPath,
}

#[derive(Default)]
struct Cut {
    batch: Batch,
    /// Renames in this batch, backwards: from the new to the old address.
    renames: Vec<(Address, Address)>,
    /// The strongest lock on each relation that was there before the plan.
    locks: Locks,
}

impl Cut {
    /// Adds a step and its locks; `live` tells what was there before the plan and still is.
    fn push(
        &mut self,
        verb: &str,
        address: &Address,
        changes: &[Change],
        live: &dyn Fn(&Address) -> bool,
        known: &Known<'_>,
    ) {
        let mut locks = Locks::new();
        for change in changes {
            held::add(&mut locks, change.on.iter().filter(|a| live(a)).map(|a| (a.clone(), change.lock)));
        }
        let mut step = step(verb, address, changes, known);
        step.holds(&locks, known.sizes);
        self.batch.steps.push(step);
        held::add(&mut self.locks, locks);
    }

    /// Adds renames; PostgreSQL carries some along.
    fn rename(&mut self, renames: &[Rename], known: &Known<'_>) {
        for Rename { from, to, up, meets: _ } in renames {
            if let Some(up) = up {
                self.push("rename", to, std::slice::from_ref(up), &|_| true, known);
            }
            self.renames.push((to.clone(), from.clone()));
        }
    }

    /// Writes down the locks on tables, under the names that they have before this batch.
    fn seal_locks(&mut self) {
        let back = |address: &Address| self.renames.iter().fold(address.clone(), |at, (new, old)| at.moved(new, old));
        let mut before = Locks::new();
        held::add(&mut before, self.locks.iter().map(|(address, mode)| (back(address), *mode)));
        self.batch.locks = held::taken_first(&before);
    }
}

/// Whether anybody wants to know the model after each batch: each is a copy of all that there is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum States {
    Kept,
    Dropped,
}

struct Forward {
    batches: Vec<Cut>,
    /// The model after each batch, if they are kept.
    states: Vec<Model>,
    touched: BTreeSet<Address>,
}

fn forward(input: &Input, deltas: &[Delta], keep: States) -> Result<Forward> {
    let (renames, renamed) = renames(input.actual, input.desired, input.major);
    if renames.is_empty() {
        return ordered(input, renames, &renamed, deltas, keep, &Address::clone);
    }
    let desired = under_old_names(input.desired);
    let deltas = diff(&renamed, &desired);
    let before: Vec<(Address, Address)> = renames.iter().rev().map(|r| (r.to.clone(), r.from.clone())).collect();
    let printed_as = |address: &Address| after(address, &before);
    ordered(&Input { desired: &desired, ..*input }, renames, &renamed, &deltas, keep, &printed_as)
}

/// With renames that are known already, as on the way back.
fn forward_named(input: &Input, named: &[(Address, Address)]) -> Result<Forward> {
    let mut model = Cow::Borrowed(input.actual);
    let mut renames = Vec::new();
    for (from, to) in named.iter().rev() {
        if let Some(done) = again(&model, from, to) {
            renames.push(done);
            model = Cow::Owned(moved(&model, from, to, input.major));
        }
    }
    let deltas = diff(&model, input.desired);
    ordered(input, renames, &model, &deltas, States::Dropped, &Address::clone)
}

/// `printed_as`: the name by which live texts call a type.
fn ordered(
    input: &Input,
    renames: Vec<Rename>,
    renamed: &Model,
    deltas: &[Delta],
    keep: States,
    printed_as: &dyn Fn(&Address) -> Address,
) -> Result<Forward> {
    if let Some((rename, other)) = renames.iter().find_map(|r| Some((r, r.meets.as_ref()?))) {
        let Rename { from, to, .. } = rename;
        return Err(Error::new(format!("{from} cannot become {to} while {other} has that name"))
            .with_hint("drop that with a plan of its own first"));
    }
    // What is live is still printed under the old names, for those who go back.
    let printed = renamed;
    let relabels = relabels(renamed, input.desired, printed_as);
    let all: Vec<&Relabel> = relabels.iter().collect();
    let relabelled = relabelled(renamed, &all);
    let (renamed, deltas) = match &relabelled {
        Cow::Owned(model) => (model, Cow::Owned(diff(model, input.desired))),
        Cow::Borrowed(model) => (*model, Cow::Borrowed(deltas)),
    };
    let reworded = reworded(renamed, &deltas);
    let (renamed, deltas) = match &reworded {
        Some(model) => (model, Cow::Owned(diff(model, input.desired))),
        None => (renamed, deltas),
    };
    let surroundings = input.surroundings;
    let sizes = |address: &Address| {
        let live = renames.iter().rev().fold(address.clone(), |at, rename| at.moved(&rename.to, &rename.from));
        surroundings.sizes.of(&live)
    };
    let default_grants = |class: char, schema: &str| surroundings.grants(class, schema);
    let scope = Scope {
        actual: renamed,
        desired: input.desired,
        major: input.major,
        sizes: &sizes,
        held_by_policies: surroundings.held_by_policies,
        default_grants: &default_grants,
        same_spec,
    };
    let known = Known { sizes: &sizes, search_path: input.search_path };
    let named: Vec<(Address, Address)> = renames.iter().map(|r| (r.from.clone(), r.to.clone())).collect();
    let unmanaged = hanging_on_new_names(input.unmanaged, &named);
    let fates = fates(&scope, &unmanaged, &deltas)?;
    let mut ops = order(&fates, &scope)?;
    let mut touched: BTreeSet<Address> = fates.keys().cloned().collect();
    touched.extend(renames.iter().map(|r| r.from.clone()));

    let mut cuts: Vec<Cut> = Vec::new();
    let mut states: Vec<Model> = Vec::new();
    let (mut first, mut state) = (State::new(&relabels, input.major), State::new(&relabels, input.major));
    let mut cut = Cut::default();
    // What has to be committed first comes alone, before anything is renamed, granted or taken down.
    for op in ops.iter_mut() {
        let Some(last) = op.changes.iter().rposition(|change| change.commit_after) else { continue };
        let (Some(old), Some(new)) = (op.old, op.new) else { continue };
        let address = printed_as(&op.address);
        let rest = op.changes.split_off(last + 1);
        let now = std::mem::replace(&mut op.changes, rest);
        let now = match kinds::kind_of(&address).alter(old, &Node { address: address.clone(), ..new.clone() }, &scope) {
            Alter::InPlace(changes) if address != op.address => changes,
            _ => now,
        };
        cut.push(verb(op), &address, &now, &|address| input.actual.get(address).is_some(), &known);
        let found = input.actual.get(&address).unwrap_or(old);
        let hints = merged(None, new, false, input.major).hints;
        first.made.insert(address, Node { spec: new.spec.clone(), hints, ..found.clone() });
        first.altered.insert(op.address.clone());
    }
    if !cut.batch.steps.is_empty() {
        states.extend((keep == States::Kept).then(|| first.model(input.actual)));
        cuts.push(std::mem::take(&mut cut));
    }
    cut.rename(&renames, &known);
    let mut validations = Cut::default();
    for op in &ops {
        let (later, now): (Vec<Change>, Vec<Change>) = op.changes.iter().cloned().partition(|c| c.deferred);
        let live = |address: &Address| renamed.get(address).is_some() && !state.gone.contains(address);
        if !now.is_empty() {
            cut.push(verb(op), &op.address, &now, &live, &known);
        }
        if !later.is_empty() {
            validations.push("validate", &op.address, &later, &live, &known);
        }
        state.apply(op, printed, input.desired);
    }
    if !cut.batch.steps.is_empty() {
        states.extend((keep == States::Kept).then(|| state.model(printed)));
        cuts.push(cut);
    }
    if !validations.batch.steps.is_empty() {
        states.extend((keep == States::Kept).then(|| state.model(printed)));
        cuts.push(validations);
    }
    cuts.iter_mut().for_each(Cut::seal_locks);
    Ok(Forward { batches: cuts, states, touched })
}

/// How the model differs from the start after some operations.
struct State<'a> {
    gone: BTreeSet<Address>,
    made: BTreeMap<Address, Node>,
    relabels: &'a [Relabel],
    /// What was altered: the labels of these enums are renamed.
    altered: BTreeSet<Address>,
    major: u32,
}

impl<'a> State<'a> {
    fn new(relabels: &'a [Relabel], major: u32) -> Self {
        Self { gone: BTreeSet::new(), made: BTreeMap::new(), relabels, altered: BTreeSet::new(), major }
    }

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
                self.altered.insert(op.address.clone());
                for address in op.riders.iter().chain([&op.address]) {
                    if let Some(new) = desired.get(address) {
                        let anew = self.gone.contains(address);
                        self.made.insert(address.clone(), merged(actual.get(address), new, anew, self.major));
                    }
                }
            }
            Verb::Release => {}
        }
    }

    /// The whole model.
    fn model(&self, actual: &Model) -> Model {
        let done: Vec<&Relabel> = self.relabels.iter().filter(|r| self.altered.contains(&r.address)).collect();
        let actual = relabelled(actual, &done);
        let kept =
            actual.nodes().iter().filter(|n| !self.gone.contains(&n.address) && !self.made.contains_key(&n.address));
        Model::new(kept.chain(self.made.values()).cloned().collect())
    }
}

/// The desired node with the facets that it leaves unmanaged as they are, even if it is made anew.
fn merged(old: Option<&Node>, new: &Node, anew: bool, major: u32) -> Node {
    let mut node = facet::inherited(new, old, major);
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

fn step(verb: &str, address: &Address, changes: &[Change], known: &Known<'_>) -> Step {
    let mut hazards: Vec<HazardNote> = Vec::new();
    for (hazard, why) in changes.iter().flat_map(|c| &c.hazards) {
        let rows = changes.iter().flat_map(|c| &c.on).map(known.sizes).max().unwrap_or(0);
        let note = HazardNote { hazard: *hazard, why: why.clone(), needs_leave: hazard.needs_leave(rows) };
        if !hazards.contains(&note) {
            hazards.push(note);
        }
    }
    let lost = hazards.iter().find(|n| n.hazard == Hazard::DataLoss).map(|n| n.why.clone());
    let lost = lost.or_else(|| changes.iter().find_map(|c| c.one_way).map(str::to_owned));
    let (mut sql, mut data) = (Vec::new(), Vec::new());
    for change in changes {
        let path = known.search_path.around().filter(|_| change.runs);
        sql.extend(path.iter().map(|(set, _)| set.clone()));
        data.extend(change.data.then_some(sql.len()));
        sql.push(change.sql.clone());
        sql.extend(path.map(|(_, reset)| reset));
    }
    Step {
        verb: verb.to_owned(),
        address: address.to_string(),
        at: address.path(),
        sql,
        lock: Lock::None,
        on: Vec::new(),
        blocks: String::new(),
        hazards,
        irreversible: lost,
        data,
    }
}
