//! Two halves of a large part, built side by side.
//!
//! Problem: one connection builds on one core, statement after statement.
//! Method: things that need one another stay together, and these groups are dealt to two halves, each of which brings
//! along what it rests on, and is built in a database of its own. What very many rest on makes no group of them.
//! Cost: linear in the nodes and what they need; what both halves rest on is built twice.
//! Failure: where a server refuses something, or what it says in the one database does not fit what it says in the
//! other, everything is built together, which has the last word.

use super::build::{self, Work};
use super::closure::{closure, Lookup};
use super::increment::{Bodies, Mix};
use super::scratch::{Built, Room, Scratch};
use crate::catalog::Wanted;
use crate::declare::Declaration;
use crate::error::Result;
use crate::kinds;
use crate::model::{Address, Model, Node};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cmp::Reverse;

/// From how many nodes on it is worth a second database.
pub const MANY: usize = 20_000;

/// How many nodes may be built twice in any case; a quarter of all may.
const TWICE: usize = 1000;

/// One in how many things has to rest on something that makes no group of them.
const HUB: usize = 100;

/// What is built in one of two databases.
pub struct Half<'a> {
    pub part: Model,
    /// The things that are this half's own, by their keys: all else is there for them.
    own: FxHashSet<&'a str>,
}

/// The halves of a part; None where it hangs together too much.
pub fn halves(part: &Model) -> Option<[Half<'_>; 2]> {
    let mix = Mix::of(part, Bodies::Checked);
    let mut sizes = [0, 0];
    let mut own = [FxHashSet::default(), FxHashSet::default()];
    for Group { nodes, things } in groups(part, &mix) {
        let lesser = usize::from(sizes[1] < sizes[0]);
        sizes[lesser] += nodes;
        own[lesser].extend(things);
    }
    if own.iter().any(FxHashSet::is_empty) {
        return None;
    }
    let halves = own.map(|own| {
        let roots = part.nodes().iter().map(|n| &n.address).filter(|address| own.contains(address.thing_key()));
        Half { part: closure(&mix, roots), own }
    });
    let all = part.nodes().len();
    let both: usize = halves.iter().map(|half| half.part.nodes().len()).sum();
    (both - all <= TWICE.max(all / 4)).then_some(halves)
}

/// Things that need one another, by their keys, and how many nodes they have.
#[derive(Default)]
struct Group<'a> {
    nodes: usize,
    things: Vec<&'a str>,
}

/// The groups of a part, the largest first.
fn groups<'a>(part: &'a Model, mix: &Mix<'_>) -> Vec<Group<'a>> {
    let mut numbers: FxHashMap<&str, usize> = FxHashMap::default();
    let mut counts: Vec<usize> = Vec::new();
    for node in part.nodes() {
        let number = *numbers.entry(node.address.thing_key()).or_insert(counts.len());
        counts.resize(counts.len().max(number + 1), 0);
        counts[number] += 1;
    }
    let mut needs: Vec<(usize, usize)> = Vec::new();
    for node in part.nodes() {
        let of = numbers[node.address.thing_key()];
        needs.extend(mix.needs(node).iter().filter_map(|need| Some((of, *numbers.get(need.thing_key())?))));
    }
    needs.sort_unstable();
    needs.dedup();
    let mut dependents = vec![0; counts.len()];
    needs.iter().for_each(|(_, need)| dependents[*need] += 1);
    let mut together = petgraph::unionfind::UnionFind::new(counts.len());
    for (thing, need) in needs {
        if dependents[need] * HUB <= counts.len() {
            together.union(thing, need);
        }
    }
    let mut groups: FxHashMap<usize, Group> = FxHashMap::default();
    for (key, number) in numbers {
        let group = groups.entry(together.find(number)).or_default();
        group.nodes += counts[number];
        group.things.push(key);
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.iter_mut().for_each(|group| group.things.sort_unstable());
    groups.sort_by(|a, b| (Reverse(a.nodes), &a.things).cmp(&(Reverse(b.nodes), &b.things)));
    groups
}

/// Builds both halves at once, each in a room of its own; what they print together, and the one of the rooms that is
/// left. None if they have to be built together.
///
/// # Errors
/// No databases can be had.
pub async fn side_by_side(
    halves: &[Half<'_>; 2],
    declaration: &Declaration,
    scratch: &mut Scratch,
    wanted: &Wanted,
    progress: &dyn Fn(&str),
) -> Result<Option<(Room, Built, Model)>> {
    let [first, second] = halves;
    let rooms = (scratch.database().await?, scratch.database().await?);
    let many = scratch.many;
    let works = std::thread::scope(|scope| {
        let later = scope.spawn(|| Work::of(&rooms.1, declaration, &second.part, many));
        let work = Work::of(&rooms.0, declaration, &first.part, many);
        (work, later.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let (Ok(work), Ok(later)) = works else { return Ok(None) };
    let built = tokio::join!(
        one(&rooms.0, work, declaration, wanted, progress),
        one(&rooms.1, later, declaration, wanted, progress)
    );
    let (Ok(Some((built, printed))), Ok(Some((_, more)))) = built else { return Ok(None) };
    Ok(merged(halves, printed, more).map(|model| (rooms.0, built, model)))
}

/// Builds one half and reads it back; None if anything is refused.
async fn one(
    room: &Room,
    work: Work,
    declaration: &Declaration,
    wanted: &Wanted,
    progress: &dyn Fn(&str),
) -> Result<Option<(Built, Model)>> {
    let Some((built, clones)) = build::at_once(room, work, declaration).await? else { return Ok(None) };
    clones.words().into_iter().for_each(|words| progress(&words));
    Ok(Some((built, clones.read_back(room, wanted).await?)))
}

/// What both halves print. None where they do not fit: something in both is not the same, or has the name of something
/// else in the other.
fn merged(halves: &[Half<'_>; 2], first: Model, second: Model) -> Option<Model> {
    let taken: FxHashMap<(String, String), &Address> = first
        .nodes()
        .iter()
        .flat_map(|node| kinds::names(node).into_iter().map(|name| (name, &node.address)))
        .collect();
    let fits = |node: &Node| {
        let same = |other: &Node| other.spec == node.spec && other.needs == node.needs;
        first.get(&node.address).is_none_or(same)
            && kinds::names(node).iter().all(|name| taken.get(name).is_none_or(|address| **address == node.address))
    };
    if !second.nodes().iter().all(fits) {
        return None;
    }
    let [_, Half { part: _, own }] = halves;
    let theirs = |node: &Node| own.contains(node.address.thing_key());
    let mut nodes: Vec<Node> = Vec::with_capacity(first.nodes().len() + second.nodes().len());
    let there: FxHashSet<Address> =
        first.nodes().iter().filter(|node| !theirs(node)).map(|node| node.address.clone()).collect();
    nodes.extend(first.into_nodes().into_iter().filter(|node| !theirs(node)));
    nodes.extend(second.into_nodes().into_iter().filter(|node| !there.contains(&node.address)));
    Some(Model::new(nodes))
}
