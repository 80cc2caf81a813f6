//! The fate of each address: what differs, and what live dependents have to go through because of it.
//!
//! A managed dependent of something that is replaced is itself replaced; of something that is rebuilt in
//! place, it is taken down and put up again if it stands in the way. A table is never recreated, and
//! nothing unmanaged is ever touched: then the plan is refused and the chain shown.

use crate::catalog::{Dependent, Unmanaged};
use crate::diff::Delta;
use crate::error::{Error, Result};
use crate::kinds::{self, facet, Alter, Cause, Change, Hazard, Lock, Rebind, Scope};
use crate::model::{Address, Node};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};

/// What happens to one address.
#[derive(Debug)]
pub enum Fate<'a> {
    Create(&'a Node),
    Drop(&'a Node),
    /// Altered in place.
    Alter {
        old: &'a Node,
        new: &'a Node,
        changes: Vec<Change>,
    },
    /// Dropped and created anew.
    Replace {
        old: &'a Node,
        new: &'a Node,
    },
    /// Moved aside, created anew, and the old one dropped in the end.
    Swap {
        old: &'a Node,
        new: &'a Node,
        begin: Vec<Change>,
        end: Vec<Change>,
    },
    /// Lets go of something before it goes, and takes hold of it afterwards.
    Lift {
        old: &'a Node,
        new: &'a Node,
        before: Vec<Change>,
        after: Vec<Change>,
    },
}

pub type Fates<'a> = BTreeMap<Address, Fate<'a>>;

/// Decides all fates, by how the models of the scope differ. Errors: what cannot be done without touching what must not be
/// touched.
pub fn fates<'a>(scope: &Scope<'a>, unmanaged: &Unmanaged, deltas: &[Delta<'a>]) -> Result<Fates<'a>> {
    let mut expansion =
        Expansion { scope, unmanaged, fates: BTreeMap::new(), queue: VecDeque::new(), refusals: Vec::new() };
    expansion.start(deltas);
    if !expansion.queue.is_empty() {
        expansion.spread(&users(scope));
    }
    let Expansion { fates, refusals, .. } = expansion;
    if refusals.is_empty() {
        Ok(fates)
    } else {
        Err(Error::new(format!("no safe plan exists:\n  {}", refusals.join("\n  "))))
    }
}

/// Who uses each live address.
fn users<'a>(scope: &Scope<'a>) -> FxHashMap<&'a Address, Vec<&'a Node>> {
    let mut users: FxHashMap<&Address, Vec<&Node>> = FxHashMap::default();
    for node in scope.actual.nodes() {
        for need in &node.needs {
            users.entry(need).or_default().push(node);
        }
    }
    users
}

struct Expansion<'s, 'a> {
    scope: &'s Scope<'a>,
    unmanaged: &'s Unmanaged,
    fates: Fates<'a>,
    queue: VecDeque<(Address, Cause, Vec<Address>)>,
    refusals: Vec<String>,
}

impl<'a> Expansion<'_, 'a> {
    fn start(&mut self, deltas: &[Delta<'a>]) {
        for delta in deltas {
            let (old, new) = match (delta.old, delta.new) {
                (None, Some(new)) => {
                    let slots = kinds::kind_of(&new.address).slots(new);
                    if let Some(holder) = slots.iter().find_map(|slot| self.unmanaged.names.get(slot)) {
                        self.refusals.push(format!(
                            "{}: its name is that of {}, which is there and not managed: declare another name, or see to \
                             that one yourself",
                            new.address, holder.what
                        ));
                    }
                    self.refusals.extend(self.taken_name(new));
                    self.fates.insert(new.address.clone(), Fate::Create(new));
                    continue;
                }
                (Some(old), None) => {
                    self.fates.insert(old.address.clone(), Fate::Drop(old));
                    continue;
                }
                (Some(old), Some(new)) => (old, new),
                (None, None) => continue,
            };
            let kind = kinds::kind_of(&new.address);
            let facets = facet::alter(kind, old, new, self.scope);
            let foreign = |on: &Address| self.unmanaged.grants.get(on).map_or(&[][..], Vec::as_slice);
            self.refusals.extend(facet::hanging(old, new, self.scope, &foreign));
            let alter = if delta.spec { kind.alter(old, new, self.scope) } else { Alter::InPlace(Vec::new()) };
            let mut follow = |cause| self.queue.push_back((new.address.clone(), cause, Vec::new()));
            let fate = match alter {
                Alter::InPlace(mut changes) => {
                    changes.extend(facets);
                    Fate::Alter { old, new, changes }
                }
                Alter::Rebuild(mut changes) => {
                    follow(Cause::Rebuilt);
                    changes.extend(facets);
                    Fate::Alter { old, new, changes }
                }
                Alter::Swap { begin, end } => {
                    follow(Cause::Swapped);
                    Fate::Swap { old, new, begin, end }
                }
                Alter::Replace => {
                    follow(Cause::Replaced);
                    Fate::Replace { old, new }
                }
                Alter::Refuse(why) => {
                    self.refusals.push(format!("{}: {why}", new.address));
                    continue;
                }
            };
            self.fates.insert(new.address.clone(), fate);
        }
        // Dropped things are asked about too: what is unmanaged must not hang on them.
        let dropped: Vec<Address> = self
            .fates
            .iter()
            .filter(|(_, fate)| matches!(fate, Fate::Drop(_)))
            .map(|(address, _)| address.clone())
            .collect();
        for address in dropped {
            self.queue.push_back((address, Cause::Replaced, Vec::new()));
        }
    }

    /// Why something is no new thing, though its former name is given to another one.
    fn taken_name(&self, new: &Node) -> Option<String> {
        let former = new.address.renamed(new.hints.as_ref()?.was.as_deref()?);
        let both = former != new.address && self.scope.actual.get(&former).is_some();
        (both && self.scope.desired.get(&former).is_some()).then(|| {
            format!(
                "{}: it was {former}, and that name is declared too: rename it in a plan of its own first, or take its `was` \
                 away if it is new",
                new.address
            )
        })
    }

    fn spread(&mut self, users: &FxHashMap<&'a Address, Vec<&'a Node>>) {
        while let Some((below, cause, chain)) = self.queue.pop_front() {
            let mut chain = chain;
            chain.push(below.clone());
            let dependents = self.unmanaged.dependents.get(&below).into_iter().flatten();
            for Dependent { what, remade, referrer: _ } in dependents.clone() {
                if cause != Cause::Rebuilt || !remade {
                    self.refuse(&chain, &format!("{what}, which is not managed, depends on it"));
                }
            }
            let mut referrers: Vec<&str> = dependents.filter_map(|dependent| dependent.referrer.as_deref()).collect();
            referrers.sort_unstable();
            referrers.dedup();
            self.say_locked(&below, &referrers);
            let falls = matches!(self.fates.get(&below), Some(Fate::Drop(_)));
            for grant in self.unmanaged.grants.get(&below).into_iter().flatten() {
                if cause != Cause::Rebuilt && !falls {
                    self.refuse(&chain, &format!("the grant {} on it would be lost", grant.printed));
                }
            }
            if cause == Cause::Replaced {
                self.children(&below, &chain);
            }
            for &user in users.get(&below).into_iter().flatten() {
                self.user(user, &below, cause, &chain);
            }
        }
    }

    /// Tables that are not managed and refer to something whose type changes: PostgreSQL locks them and tests their foreign
    /// keys anew.
    fn say_locked(&mut self, address: &Address, referrers: &[&str]) {
        let Some(Fate::Alter { changes, .. }) = self.fates.get_mut(address) else { return };
        let first = changes.iter_mut().find(|change| change.lock == Lock::AccessExclusive && !referrers.is_empty());
        if let Some(change) = first {
            let tables = match referrers {
                [table] => format!("table {table}, which is not managed, refers"),
                tables => format!("tables {}, which are not managed, refer", tables.join(", ")),
            };
            change.hazards.push((
                Hazard::BlocksReads,
                format!("{tables} to it: foreign keys are tested anew, and nobody can read or write there meanwhile"),
            ));
        }
    }

    /// What stood below something that is replaced has to be created again.
    fn children(&mut self, parent: &Address, chain: &[Address]) {
        if !matches!(self.fates.get(parent), Some(Fate::Replace { .. })) {
            return;
        }
        let actual: &'a crate::model::Model = self.scope.actual;
        for old in actual.children(parent) {
            let fate = match self.scope.desired.get(&old.address) {
                Some(new) => Fate::Replace { old, new },
                None => Fate::Drop(old),
            };
            self.fates.insert(old.address.clone(), fate);
            self.queue.push_back((old.address.clone(), Cause::Replaced, chain.to_vec()));
        }
    }

    fn user(&mut self, old: &'a Node, below: &Address, cause: Cause, chain: &[Address]) {
        let new = self.scope.desired.get(&old.address);
        let (Some(new), true) =
            (new, !matches!(self.fates.get(&old.address), Some(Fate::Drop(_) | Fate::Replace { .. })))
        else {
            return;
        };
        // Something that no longer needs it lets go by being altered.
        let needs = |above: &Address| new.needs.iter().any(|need| need.is_within(above));
        // But what it takes hold of then must be there: another column of a view that is made anew is not yet.
        let remade = below.parent().filter(|above| matches!(self.fates.get(above), Some(Fate::Replace { .. })));
        let released = !needs(below) && !remade.is_some_and(|above| needs(&above));
        // But not to take hold of an overload: while both are there, its call means either.
        let overloaded = new.needs.iter().any(|need| kinds::are_overloads(need, below));
        if released
            && !overloaded
            && matches!(self.fates.get(&old.address), Some(Fate::Alter { .. } | Fate::Swap { .. }))
            && cause != Cause::Rebuilt
        {
            return;
        }
        let kind = kinds::kind_of(&old.address);
        let mut follow = |cause| self.queue.push_back((old.address.clone(), cause, chain.to_vec()));
        match kind.rebind(old, below, cause, self.scope) {
            Rebind::Keep => {}
            Rebind::Replace if kind.holds_rows() => {
                let mut chain = chain.to_vec();
                chain.push(old.address.clone());
                self.refuse(&chain, "a table is never recreated");
            }
            Rebind::Replace => {
                follow(Cause::Replaced);
                self.fates.insert(old.address.clone(), Fate::Replace { old, new });
            }
            Rebind::Move(changes) => {
                let own = match self.fates.get(&old.address) {
                    // What changes so that it no longer needs the old one takes its own way.
                    Some(Fate::Alter { changes, .. }) if released && !changes.is_empty() => return,
                    Some(Fate::Alter { changes, .. }) => changes.clone(),
                    _ => facet::alter(kind, old, new, self.scope),
                };
                follow(Cause::Rebuilt);
                let mut changes = changes;
                let more: Vec<Change> =
                    own.into_iter().filter(|own| !changes.iter().any(|c| c.sql == own.sql)).collect();
                changes.extend(more);
                self.fates.insert(old.address.clone(), Fate::Alter { old, new, changes });
            }
            Rebind::Lift { before, after } => match self.fates.remove(&old.address) {
                Some(Fate::Alter { changes, .. }) => {
                    // What it let go of needs not be dropped again.
                    let done = |change: &Change| after.contains(change) || before.contains(change);
                    let more: Vec<Change> = changes.into_iter().filter(|change| !done(change)).collect();
                    let after = [after, more].concat();
                    self.fates.insert(old.address.clone(), Fate::Lift { old, new, before, after });
                }
                Some(Fate::Lift { before: first, after: then, .. }) => {
                    let (mut first, mut then) = (first, then);
                    first.extend(before.into_iter().filter(|c| !first.contains(c)).collect::<Vec<_>>());
                    then.extend(after.into_iter().filter(|c| !then.contains(c)).collect::<Vec<_>>());
                    self.fates.insert(old.address.clone(), Fate::Lift { old, new, before: first, after: then });
                }
                _ => {
                    self.fates.insert(old.address.clone(), Fate::Lift { old, new, before, after });
                }
            },
        }
    }

    fn refuse(&mut self, chain: &[Address], why: &str) {
        let chain = chain.iter().map(ToString::to_string).collect::<Vec<_>>().join(" <- ");
        let text = format!("{chain}: {why}");
        if !self.refusals.contains(&text) {
            self.refusals.push(text);
        }
    }
}
