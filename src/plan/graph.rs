//! The order of operations.
//!
//! Problem: operations make, use, alter and destroy things; each must find what it needs and leave nothing
//! that stands in the way of the next. Method: a graph with one vertex per operation. Edges, always from
//! earlier to later:
//!   build     what makes or alters a thing -> what needs it (desired dependencies)
//!   teardown  what drops or lets go of a user -> what drops or alters what it used (actual dependencies)
//!   address   drop -> create, begin -> end at one address
//!   slot      what frees a name -> what takes it
//!   overload  what drops a routine -> what calls another of its name
//!   type      what gives a column another type -> what writes rows of its table, where that makes no cycle
//! Children ride inside their parent's CREATE and fall with its DROP until that makes a cycle; then the
//! riders in the cycle become operations of their own, and what has a lesser early form is created in it
//! and completed later. Cost: linear in vertices and edges, plus a heap for the stable tie-break.
//! Failure: a cycle that nothing can break is an error that names it.

use super::consequences::consequences;
use super::expand::{Fate, Fates};
use crate::error::{Error, Result};
use crate::kinds::{self, facet, Change, Hazard, Kind, Scope};
use crate::model::{Address, Node};
use petgraph::graph::{DiGraph, NodeIndex};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};

/// What an operation does at its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Lets go of something that goes.
    Release,
    Create,
    Alter,
    Drop,
}

/// One operation: statements that stay together.
#[derive(Debug)]
pub struct Op<'a> {
    pub address: Address,
    pub verb: Verb,
    pub changes: Vec<Change>,
    /// The live node and the desired one, as far as the operation takes the one away or makes the other.
    pub old: Option<&'a Node>,
    pub new: Option<&'a Node>,
    /// Addresses that ride along.
    pub riders: Vec<Address>,
    /// A drop that makes room for what replaces it.
    pub replaces: bool,
}

/// Children that must not ride, and creations that are done in two steps.
#[derive(Default)]
struct Apart {
    /// Riders that became operations of their own.
    on_foot: HashSet<Address>,
    /// What is created early in a lesser form.
    early: HashSet<Address>,
    /// Children dropped before their parent.
    unloaded: HashSet<Address>,
}

/// Orders everything that the fates ask for.
pub fn order<'a>(fates: &Fates<'a>, scope: &Scope<'a>) -> Result<Vec<Op<'a>>> {
    let mut apart = Apart::default();
    let consequences = consequences(fates, scope);
    loop {
        let mut ops = operations(fates, scope, &apart);
        for op in ops.iter_mut().filter(|op| op.new.is_some()) {
            if let (Some(reasons), Some(change)) = (consequences.get(&op.address), op.changes.last_mut()) {
                change.hazards.extend(reasons.iter().cloned());
            }
        }
        let mut graph = Edges::new(&ops, scope, &apart).graph(true);
        let mut knots = knots_of(&graph);
        if !knots.is_empty() {
            graph = Edges::new(&ops, scope, &apart).graph(false);
            knots = knots_of(&graph);
        }
        if knots.is_empty() {
            return Ok(sorted(ops, &graph));
        }
        let before = (apart.on_foot.len(), apart.early.len(), apart.unloaded.len());
        for knot in &knots {
            loosen(knot, &ops, fates, scope, &mut apart);
        }
        if before == (apart.on_foot.len(), apart.early.len(), apart.unloaded.len()) {
            let names = |knot: &Vec<NodeIndex>| {
                let mut names: Vec<String> = knot.iter().map(|v| ops[v.index()].address.to_string()).collect();
                names.sort();
                names.dedup();
                names.join(", ")
            };
            let cycles = knots.iter().map(names).collect::<Vec<_>>().join("\n  ");
            return Err(Error::new(format!(
                "these depend on each other in a circle that cannot be broken:\n  {cycles}"
            )));
        }
    }
}

/// What depends on each other in a circle.
fn knots_of(graph: &DiGraph<(), ()>) -> Vec<Vec<NodeIndex>> {
    petgraph::algo::kosaraju_scc(graph).into_iter().filter(|scc| scc.len() > 1).collect()
}

fn rides(kind: &dyn Kind, node: &Node, scope: &Scope) -> bool {
    kind.clause(node, scope).is_some()
}

fn operations<'a>(fates: &Fates<'a>, scope: &Scope<'a>, apart: &Apart) -> Vec<Op<'a>> {
    let mut ops = Vec::new();
    for (address, fate) in fates {
        let kind = kinds::kind_of(address);
        match fate {
            Fate::Create(new) => create(&mut ops, kind, new, fates, scope, apart),
            Fate::Drop(old) => drop_(&mut ops, kind, old, fates, scope, apart, false),
            Fate::Replace { old, new } => {
                drop_(&mut ops, kind, old, fates, scope, apart, true);
                create(&mut ops, kind, new, fates, scope, apart);
            }
            Fate::Alter { old, new, changes } => {
                ops.push(op(address, Verb::Alter, changes.clone(), Some(old), Some(new)))
            }
            Fate::Swap { old, new, begin, end } => {
                let mut changes = begin.clone();
                changes.extend(facet::create(kind, new, scope));
                ops.push(op(address, Verb::Create, changes, None, Some(new)));
                ops.push(Op { replaces: false, ..op(address, Verb::Drop, end.clone(), Some(old), None) });
            }
            Fate::Lift { old, new, before, after } => {
                ops.push(op(address, Verb::Release, before.clone(), Some(old), None));
                ops.push(op(address, Verb::Alter, after.clone(), None, Some(new)));
            }
        }
    }
    ops
}

fn op<'a>(address: &Address, verb: Verb, changes: Vec<Change>, old: Option<&'a Node>, new: Option<&'a Node>) -> Op<'a> {
    Op { address: address.clone(), verb, changes, old, new, riders: Vec::new(), replaces: false }
}

fn created<'a>(fate: Option<&Fate<'a>>) -> Option<&'a Node> {
    match fate? {
        Fate::Create(new) | Fate::Replace { new, .. } => Some(new),
        Fate::Drop(_) | Fate::Alter { .. } | Fate::Swap { .. } | Fate::Lift { .. } => None,
    }
}

fn create<'a>(
    ops: &mut Vec<Op<'a>>,
    kind: &dyn Kind,
    new: &'a Node,
    fates: &Fates<'a>,
    scope: &Scope<'a>,
    apart: &Apart,
) {
    let address = &new.address;
    let parent_is_made = address.parent().is_some_and(|p| created(fates.get(&p)).is_some());
    if parent_is_made && !apart.on_foot.contains(address) && rides(kind, new, scope) {
        return;
    }
    let early = apart.early.contains(address).then(|| kind.early(new)).flatten();
    let mut riders: Vec<(&Node, Option<Node>)> = Vec::new();
    if kind.clause(new, scope).is_none() {
        for child in scope.desired.children(address) {
            let child_kind = kinds::kind_of(&child.address);
            let made = created(fates.get(&child.address)).is_some() && !apart.on_foot.contains(&child.address);
            if made && rides(child_kind, child, scope) {
                let lesser = apart.early.contains(&child.address).then(|| child_kind.early(child)).flatten();
                riders.push((child, lesser));
            }
        }
    }
    riders.sort_by_key(|(child, _)| (kinds::rank(child.address.kind()), child.order));
    let written: Vec<&Node> = riders.iter().map(|(child, lesser)| lesser.as_ref().unwrap_or(child)).collect();
    let mut changes = kind.create(early.as_ref().unwrap_or(new), &written, scope);
    // What is created by an operation on something else has nothing to be changed yet, unless that is its parent's.
    if !changes.is_empty() || kind.is_implied() {
        changes.extend(facet::create(kind, new, scope));
    }
    for (child, _) in &riders {
        changes.extend(facet::create(kinds::kind_of(&child.address), child, scope));
    }
    if let (Some(Fate::Replace { old, .. }), Some(change)) = (fates.get(address), changes.last_mut()) {
        change.hazards.extend(gained(kind, old, new, scope));
    }
    let riders: Vec<Address> = riders.iter().map(|(child, _)| child.address.clone()).collect();
    for late in riders.iter().chain([address]).filter(|a| apart.early.contains(a)) {
        if let Some(full) = scope.desired.get(late) {
            ops.extend(complete(full, scope));
        }
    }
    ops.push(Op { riders, ..op(address, Verb::Create, changes, None, Some(new)) });
}

/// What somebody may do with the new thing that nobody could with the old one in whose place it comes.
fn gained(kind: &dyn Kind, old: &Node, new: &Node, scope: &Scope) -> Vec<(Hazard, String)> {
    let hazards = facet::alter(kind, old, new, scope).into_iter().flat_map(|change| change.hazards);
    hazards.filter(|(hazard, _)| *hazard == Hazard::AccessWidened).collect()
}

/// What was created in its early form becomes whole.
fn complete<'a>(full: &'a Node, scope: &Scope<'a>) -> Option<Op<'a>> {
    let kind = kinds::kind_of(&full.address);
    let early = kind.early(full)?;
    match kind.alter(&early, full, scope) {
        kinds::Alter::InPlace(changes) | kinds::Alter::Rebuild(changes) => {
            Some(op(&full.address, Verb::Alter, changes, None, Some(full)))
        }
        kinds::Alter::Swap { .. } | kinds::Alter::Replace | kinds::Alter::Refuse(_) => None,
    }
}

fn drop_<'a>(
    ops: &mut Vec<Op<'a>>,
    kind: &dyn Kind,
    old: &'a Node,
    fates: &Fates<'a>,
    scope: &Scope<'a>,
    apart: &Apart,
    replaces: bool,
) {
    let address = &old.address;
    // What is in a schema does not fall with it.
    let takes_along = |above: &Address| above.parent().is_some();
    let parent = address.parent().filter(takes_along);
    let falls = parent.is_some_and(|p| matches!(fates.get(&p), Some(Fate::Drop(_) | Fate::Replace { .. })));
    if falls && !apart.unloaded.contains(address) {
        return;
    }
    let below = scope.actual.subtree(address).skip(1).filter(|_| takes_along(address)).map(|n| n.address.clone());
    let riders: Vec<Address> = below.filter(|a| !apart.unloaded.contains(a)).collect();
    let mut changes = kind.drop(old, scope);
    // What falls with it takes the locks that its own drop would.
    if let Some(change) = changes.first_mut() {
        let fallen = riders.iter().filter_map(|rider| scope.actual.get(rider));
        for with in fallen.flat_map(|node| kinds::kind_of(&node.address).drop(node, scope)) {
            if with.lock == change.lock {
                change.on.extend(with.on);
            }
        }
        change.on.sort();
        change.on.dedup();
    }
    ops.push(Op { riders, replaces, ..op(address, Verb::Drop, changes, Some(old), None) });
}

/// Takes apart what can be taken apart in a knot.
fn loosen(knot: &[NodeIndex], ops: &[Op], fates: &Fates, scope: &Scope, apart: &mut Apart) {
    let inside: HashSet<&Address> =
        knot.iter().flat_map(|v| ops[v.index()].riders.iter().chain([&ops[v.index()].address])).collect();
    let tied =
        |node: &Node| node.needs.iter().any(|need| inside.contains(need) && node.address.parent() != need.parent());
    // Whole operations first: a sequence without its owner, a function with an empty body.
    let mut whole: Vec<&Address> = knot
        .iter()
        .map(|v| &ops[v.index()])
        .filter(|op| op.verb == Verb::Create && op.riders.is_empty() && created(fates.get(&op.address)).is_some())
        .filter(|op| op.new.is_some_and(|new| kinds::kind_of(&op.address).early(new).is_some()))
        .map(|op| &op.address)
        .filter(|address| !apart.early.contains(*address))
        .collect();
    whole.sort_by_key(|address| (kinds::rank(address.kind()), (*address).clone()));
    if let Some(first) = whole.first() {
        apart.early.insert((*first).clone());
        return;
    }
    for vertex in knot {
        let op = &ops[vertex.index()];
        for rider in &op.riders {
            let kind = kinds::kind_of(rider);
            match op.verb {
                Verb::Create => {
                    let Some(node) = scope.desired.get(rider).filter(|n| tied(n)) else { continue };
                    if kind.early(node).is_some() {
                        apart.early.insert(rider.clone());
                    } else if !kind.stays_with_parent() {
                        apart.on_foot.insert(rider.clone());
                    }
                }
                Verb::Drop => {
                    let Some(node) = scope.actual.get(rider).filter(|n| tied(n)) else { continue };
                    if node.address.parent().as_ref() == Some(&op.address) {
                        apart.unloaded.insert(rider.clone());
                    }
                }
                Verb::Alter | Verb::Release => {}
            }
        }
    }
}

struct Edges<'o, 'a> {
    ops: &'o [Op<'a>],
    scope: &'o Scope<'a>,
    apart: &'o Apart,
    pairs: Vec<(u32, u32)>,
    /// Operations that bring an address into its desired state.
    makers: HashMap<&'o Address, Vec<usize>>,
    /// Operations that take an address away.
    breakers: HashMap<&'o Address, Vec<usize>>,
}

impl<'o, 'a> Edges<'o, 'a> {
    fn new(ops: &'o [Op<'a>], scope: &'o Scope<'a>, apart: &'o Apart) -> Self {
        let mut edges = Self { ops, scope, apart, pairs: Vec::new(), makers: HashMap::new(), breakers: HashMap::new() };
        for (at, op) in ops.iter().enumerate() {
            let map = match op.verb {
                Verb::Drop if op.changes.is_empty() => continue,
                Verb::Create | Verb::Alter => &mut edges.makers,
                Verb::Drop => &mut edges.breakers,
                Verb::Release => continue,
            };
            for address in op.riders.iter().chain([&op.address]) {
                map.entry(address).or_default().push(at);
            }
        }
        edges
    }

    /// `wishes` are edges that there should be, and can be done without.
    fn graph(mut self, wishes: bool) -> DiGraph<(), ()> {
        for at in 0..self.ops.len() {
            self.build(at);
            // What falls with something else (an owned sequence) has no place of its own.
            if !(self.ops[at].verb == Verb::Drop && self.ops[at].changes.is_empty()) {
                self.teardown(at);
                self.same_address(at);
            }
        }
        self.slots();
        self.overloads();
        if wishes {
            self.firing();
        }
        self.pairs.retain(|(a, b)| a != b);
        self.pairs.sort_unstable();
        self.pairs.dedup();
        let mut graph = DiGraph::with_capacity(self.ops.len(), self.pairs.len());
        for _ in self.ops {
            graph.add_node(());
        }
        graph.extend_with_edges(self.pairs);
        graph
    }

    fn edge(&mut self, from: usize, to: usize) {
        if let (Ok(from), Ok(to)) = (u32::try_from(from), u32::try_from(to)) {
            self.pairs.push((from, to));
        }
    }

    /// Before rows of a table are written, its columns get their types, as bodies in PL/pgSQL keep the types of the rows
    /// that they have met in a session; and constraints that go no longer test what is written.
    fn firing(&mut self) {
        let mut by_table: HashMap<Address, (Vec<usize>, Vec<usize>)> = HashMap::new();
        for (at, op) in self.ops.iter().enumerate() {
            let Some(table) = op.address.parent() else { continue };
            let (first, writing) = by_table.entry(table).or_default();
            let any = |is: fn(&Change) -> bool| op.changes.iter().any(is);
            let of_constraint = || kinds::kind_of(&op.address).catalog().is_some_and(|c| c.class == "pg_constraint");
            let lets_through = op.verb == Verb::Drop && !op.changes.is_empty() && of_constraint();
            first.extend((any(|change| change.retypes) || lets_through).then_some(at));
            writing.extend(any(|change| change.runs && change.data).then_some(at));
        }
        for (first, writing) in by_table.into_values() {
            for from in first {
                writing.iter().for_each(|to| self.edge(from, *to));
            }
        }
    }

    /// What this operation's desired things need is made before it.
    fn build(&mut self, at: usize) {
        let op = &self.ops[at];
        if op.new.is_none() {
            return;
        }
        let desired = self.scope.desired;
        let early = op.verb == Verb::Create;
        let mut before: Vec<Address> = Vec::new();
        for address in op.riders.iter().chain([&op.address]) {
            let Some(node) = desired.get(address) else { continue };
            before.extend(address.parent());
            // What comes early in a lesser form needs only what that form needs.
            let lesser = early && self.apart.early.contains(address);
            if lesser {
                before.extend(kinds::kind_of(address).early(node).into_iter().flat_map(|n| n.needs));
            } else {
                before.extend(node.needs.iter().cloned());
                before.extend(node.needs.iter().filter_map(Address::parent));
                before.extend(kinds::kind_of(address).comes_after(node, desired));
            }
        }
        if op.verb == Verb::Alter && self.apart.early.contains(&op.address) {
            before.push(op.address.clone());
        }
        for need in before {
            let makers: Vec<usize> =
                self.makers.get(&need).into_iter().flatten().copied().filter(|m| *m != at).collect();
            for maker in makers {
                // What needs something that is made early waits for that, not for its completion: the knot
                // would be tied again.
                let completion = self.ops[maker].verb == Verb::Alter && self.apart.early.contains(&need);
                if completion {
                    continue;
                }
                // Of two things that are only altered, the one that is usually needed goes first.
                let both_alter = op.verb == Verb::Alter && self.ops[maker].verb == Verb::Alter;
                let backwards = both_alter && kinds::rank(need.kind()) >= kinds::rank(op.address.kind());
                if !backwards {
                    self.edge(maker, at);
                }
            }
        }
    }

    /// What takes a live user away, or changes it so that it lets go, comes before what it used goes or changes.
    fn teardown(&mut self, at: usize) {
        let op = &self.ops[at];
        let Some(_) = op.old else { return };
        let leaves = matches!(op.verb, Verb::Drop | Verb::Release);
        let mut used: Vec<Address> = Vec::new();
        for address in op.riders.iter().chain([&op.address]) {
            let Some(node) = self.scope.actual.get(address) else { continue };
            used.extend(address.parent());
            used.extend(node.needs.iter().cloned());
            // A foreign key needs columns, and stands in the way of a change of their table.
            used.extend(node.needs.iter().filter_map(Address::parent));
            if leaves {
                used.extend(kinds::kind_of(address).goes_before(node, self.scope.actual));
            }
        }
        for need in used {
            let breakers: Vec<usize> = self.breakers.get(&need).into_iter().flatten().copied().collect();
            for breaker in breakers {
                self.edge(at, breaker);
            }
            if leaves {
                let makers: Vec<usize> = self.makers.get(&need).into_iter().flatten().copied().collect();
                for maker in makers {
                    // A drop comes before what it used is altered or swapped: its own name may have that of a type
                    // in it. But not before an alter that lets go of what is dropped here.
                    let lets_go = self.ops[maker].old.is_some_and(|old| {
                        old.needs.iter().any(|need| op.riders.contains(need) || op.address == *need)
                    });
                    let swaps = op.replaces && self.ops[maker].verb == Verb::Create && self.ends_later(&need);
                    let alters = self.ops[maker].verb == Verb::Alter && self.ops[maker].old.is_some();
                    if !lets_go && (alters || swaps) && self.ops[maker].address != op.address {
                        self.edge(at, maker);
                    }
                }
            }
        }
    }

    /// Whether the old thing at an address is dropped after the new one was created, as in a swap.
    fn ends_later(&self, address: &Address) -> bool {
        self.breakers
            .get(address)
            .into_iter()
            .flatten()
            .any(|at| self.ops[*at].address == *address && !self.ops[*at].replaces)
    }

    fn same_address(&mut self, at: usize) {
        let op = &self.ops[at];
        let makers: Vec<usize> = self.makers.get(&op.address).into_iter().flatten().copied().collect();
        for maker in makers {
            match op.verb {
                Verb::Drop if op.replaces => self.edge(at, maker),
                Verb::Drop if maker != at => self.edge(maker, at),
                Verb::Release => self.edge(at, maker),
                Verb::Drop | Verb::Create | Verb::Alter => {}
            }
        }
    }

    /// What calls a routine is made when another of its name that goes is gone: until then the call means that one, or
    /// either (42725).
    fn overloads(&mut self) {
        let drops = self.ops.iter().enumerate().filter(|(_, op)| op.verb == Verb::Drop && !op.changes.is_empty());
        let mut going: HashMap<(Option<Address>, String), Vec<usize>> = HashMap::new();
        for (at, op) in drops {
            if let Some(name) = kinds::overloaded_name(&op.address) {
                going.entry(name).or_default().push(at);
            }
        }
        if going.is_empty() {
            return;
        }
        let mut pairs = Vec::new();
        for (at, op) in self.ops.iter().enumerate().filter(|(_, op)| op.new.is_some() && op.verb != Verb::Release) {
            let nodes = op.riders.iter().chain([&op.address]).filter_map(|address| self.scope.desired.get(address));
            for need in nodes.flat_map(|node| &node.needs) {
                let same = kinds::overloaded_name(need).and_then(|name| going.get(&name));
                let others = same.into_iter().flatten().filter(|from| self.ops[**from].address != *need);
                pairs.extend(others.map(|from| (*from, at)));
            }
        }
        for (from, to) in pairs {
            self.edge(from, to);
        }
    }

    /// A name is free before it is taken.
    fn slots(&mut self) {
        let mut freed: HashMap<(String, String), Vec<usize>> = HashMap::new();
        for (at, op) in self.ops.iter().enumerate().filter(|(_, op)| op.verb == Verb::Drop) {
            let swapped = !op.replaces && self.makers.contains_key(&op.address);
            for address in op.riders.iter().chain([&op.address]).filter(|_| !swapped) {
                let Some(node) = self.scope.actual.get(address) else { continue };
                let kind = kinds::kind_of(address);
                for slot in kind.slots(node).into_iter().chain(kind.bond(node)) {
                    freed.entry(slot).or_default().push(at);
                }
            }
        }
        let mut pairs = Vec::new();
        for (at, op) in self.ops.iter().enumerate().filter(|(_, op)| op.verb == Verb::Create) {
            for address in op.riders.iter().chain([&op.address]) {
                let Some(node) = self.scope.desired.get(address) else { continue };
                let kind = kinds::kind_of(address);
                for slot in kind.slots(node).into_iter().chain(kind.bond(node)) {
                    pairs.extend(freed.get(&slot).into_iter().flatten().map(|from| (*from, at)));
                }
            }
        }
        for (from, to) in pairs {
            self.edge(from, to);
        }
    }
}

/// Kahn's algorithm with a heap: of what can come next, the kind that others need most, then the address.
fn sorted<'a>(ops: Vec<Op<'a>>, graph: &DiGraph<(), ()>) -> Vec<Op<'a>> {
    let key = |at: usize| {
        let op = &ops[at];
        // What only goes away goes last.
        let goes = op.verb == Verb::Drop && !op.replaces;
        (goes, kinds::rank(op.address.kind()), op.new.map_or(0, |n| n.order), op.address.clone(), op.verb, at)
    };
    let mut waiting: Vec<usize> = vec![0; ops.len()];
    for edge in graph.raw_edges() {
        waiting[edge.target().index()] += 1;
    }
    let mut ready: BinaryHeap<_> = (0..ops.len()).filter(|at| waiting[*at] == 0).map(|at| Reverse(key(at))).collect();
    let mut order = Vec::with_capacity(ops.len());
    while let Some(Reverse((.., at))) = ready.pop() {
        order.push(at);
        for next in graph.neighbors(NodeIndex::new(at)) {
            waiting[next.index()] -= 1;
            if waiting[next.index()] == 0 {
                ready.push(Reverse(key(next.index())));
            }
        }
    }
    let mut slots: BTreeMap<usize, Op<'a>> = ops.into_iter().enumerate().collect();
    order.into_iter().filter_map(|at| slots.remove(&at)).collect()
}
