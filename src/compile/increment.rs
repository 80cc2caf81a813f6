//! What has to be compiled again when a part of a declaration has changed.
//!
//! A thing is compiled again if its own text changed, or something that it rests on: what PostgreSQL says it depends
//! on, a relation that it takes as a whole (`select *`), a name that now may mean something else, or what the body of
//! an SQL function names. Only that and what it rests on in turn is built in scratch, the latter from its own print. All
//! else stays as the lock has it.
//!
//! Cost: a few passes over the lock, and building in proportion to the change.

use super::closure::{closure, Lookup};
use super::lock::{escaped, Locked};
use crate::declare::Declaration;
use crate::kinds::{self, Draft};
use crate::model::{Address, Model, Node};
use crate::sql::tokens;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeSet;

/// What is to be done with a declaration of which some is known.
#[derive(Default)]
pub struct Increment {
    /// What is built: things that changed, as written, and what they rest on, as printed.
    pub part: Model,
    /// What stays as it is, sorted by address.
    pub kept: Vec<Locked>,
    /// Files that were not read and declare something that has to be compiled again.
    pub unread: BTreeSet<String>,
}

/// What was read of a declaration before, and how much of it is read now.
pub struct Before<'a> {
    /// All nodes of the lock for one major.
    pub nodes: Vec<Locked>,
    /// Whether the file of a node was read now, or is gone.
    pub read: &'a dyn Fn(&str) -> bool,
    /// What changed since the things that need it were compiled.
    pub moved: Vec<Address>,
    /// Whether what was adopted from a database and never compiled is compiled now.
    pub adopted_too: bool,
}

/// The digest of what was written: PostgreSQL makes the same of it as long as what it rests on is the same.
pub fn written(draft: &Draft) -> Box<str> {
    let Node { address, spec, owner, comment, grants, order: _, needs, hints, prints: _, old_prints: _ } = &draft.node;
    let mut hasher = blake3::Hasher::new();
    let mut add = |text: &str| {
        hasher.update(&text.len().to_le_bytes());
        hasher.update(text.as_bytes());
    };
    add(&address.path());
    add(spec.as_json());
    add(owner.as_deref().unwrap_or("\0"));
    add(comment.as_deref().unwrap_or("\0"));
    add(&serde_json::to_string(grants).unwrap_or_default());
    add(&serde_json::to_string(hints).unwrap_or_default());
    needs.iter().for_each(|need| add(&need.path()));
    hasher.finalize().to_hex().chars().take(16).collect::<String>().into()
}

/// Compares a declaration with what is known of it.
pub fn increment(declaration: &Declaration, before: Before) -> Increment {
    let Before { nodes, read, moved, adopted_too } = before;
    let drafts: FxHashMap<&Address, &Draft> = declaration.drafts.iter().map(|d| (&d.node.address, d)).collect();
    let mut dirty: FxHashSet<Address> = moved.into_iter().collect();
    // Those that no node stands for.
    let mut new: FxHashSet<&Address> = drafts.keys().copied().collect();
    // Nothing of them was ever compiled: what PostgreSQL makes by itself comes again with what is.
    let adopted: FxHashSet<&str> = nodes
        .iter()
        .filter(|l| l.written.is_none() && drafts.contains_key(l.written_as()))
        .map(|l| &*l.source)
        .collect();
    for locked in &nodes {
        let address = locked.written_as();
        let draft = drafts.get(address);
        if draft.is_some() {
            new.remove(address);
        }
        let changed = match (draft, &locked.written) {
            (Some(draft), Some(digest)) => *written(draft) != **digest,
            (Some(_), None) => true,
            (None, Some(_)) => read(&locked.source),
            // Adopted, or made by PostgreSQL: the latter falls with what it needs.
            (None, None) => {
                let gone = || adopted.contains(&*locked.source) || !drafted(locked, &drafts);
                adopted_too || (read(&locked.source) && !locked.source.is_empty() && gone())
            }
        };
        if changed {
            dirty.extend([address.clone(), locked.node.address.clone()]);
        }
    }
    // An extension may bring any name.
    if new.iter().any(|address| address.kind() == "extension") {
        dirty.extend(nodes.iter().map(|l| l.node.address.clone()));
    }
    let mut columns = NewColumns::default();
    for column in new.iter().filter(|address| kinds::kind_of(address).is_column()) {
        if column.parent().is_some_and(|relation| !new.contains(&relation)) {
            columns.entry(column.thing_key()).or_default().push(column.name());
        }
    }
    dirty.extend(nodes.iter().filter(|l| may_mean(&l.node, &columns)).map(|l| l.node.address.clone()));
    let shadows: FxHashSet<(String, String)> = new.iter().filter_map(|address| name_of(address)).collect();
    dirty.extend(new.into_iter().cloned());
    // Of what is PostgreSQL's own nothing is said to need it.
    let routines: Vec<String> = shadows
        .iter()
        .filter(|(sort, _)| sort == ROUTINE)
        .map(|(_, name)| escaped(&name.replace('"', "\"\"")))
        .collect();
    let calls_one = |l: &&Locked| routines.iter().any(|routine| calls(l.node.spec.as_json(), routine));
    dirty.extend(nodes.iter().filter(calls_one).map(|l| l.node.address.clone()));
    let moves = |l: &&Locked| drafts.get(l.written_as()).is_some_and(|d| stands_elsewhere(&d.node, &l.node));
    let reordered = nodes.iter().filter(moves).map(|l| l.node.address.thing()).collect();
    spread(&nodes, &mut dirty, &reordered, &shadows);
    dirty.extend(rows_of_changed(&nodes, &dirty));

    let is_dirty = |l: &Locked| dirty.contains(&l.node.address) || l.alias.as_ref().is_some_and(|a| dirty.contains(a));
    let (gone, mut kept): (Vec<Locked>, Vec<Locked>) = nodes.into_iter().partition(is_dirty);
    // Also what was adopted, of which nothing written is known: without its file it would be lost.
    let unread = gone
        .iter()
        .filter(|l| !read(&l.source))
        .map(|l| l.source.to_string())
        .filter(|source| !source.is_empty())
        .collect();
    // Where a column stands among others, and in which file, is no reason to compile the column again.
    let homes = declaration.homes();
    for locked in &mut kept {
        if let Some(draft) = drafts.get(locked.written_as()) {
            if stands_elsewhere(&draft.node, &locked.node) {
                locked.node.order = draft.node.order;
                locked.line = None;
            }
        }
        if read(&locked.source) {
            locked.find_home(&homes);
        }
    }
    kept.sort_by(|a, b| a.node.address.cmp(&b.node.address));
    let written =
        Model::new(drafts.values().filter(|d| dirty.contains(&d.node.address)).map(|d| d.node.clone()).collect());
    let bodies = Bodies::Checked;
    let aliases = kept.iter().enumerate().filter_map(|(at, l)| Some((l.alias.as_ref()?, at))).collect();
    let mix = Mix { names: names(&written, &kept, bodies), bodies, written: &written, kept: &kept, aliases };
    // No draft tells what of an extension it uses.
    let extensions =
        kept.iter().map(|l| &l.node.address).filter(|a| a.kind() == "extension" && !written.nodes().is_empty());
    let part = closure(&mix, written.nodes().iter().map(|n| &n.address).chain(extensions));
    Increment { part, kept, unread }
}

/// Whether a column is declared at another place among its siblings. Of all else, PostgreSQL counts nothing.
fn stands_elsewhere(draft: &Node, locked: &Node) -> bool {
    draft.order > 0 && draft.order != locked.order && kinds::kind_of(&draft.address).is_column()
}

/// Relations that get columns by new names, by their key, with these.
type NewColumns<'a> = FxHashMap<&'a str, Vec<&'a str>>;

/// Whether a thing that rests on one of these relations says the name of a new column: it may mean that one now.
fn may_mean(node: &Node, columns: &NewColumns) -> bool {
    let says = |name: &&str| {
        let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        !plain || is_said(node.spec.as_json(), name)
    };
    let of = |need: &Address| columns.get(need.thing_key()).is_some_and(|names| names.iter().any(says));
    !columns.is_empty() && node.needs.iter().any(of)
}

/// Whether a word stands in a text.
fn is_said(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    let mut found = text.match_indices(word);
    found.any(|(at, _)| !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part))
}

/// Reference rows of tables of which anything else comes again: their values print otherwise then, or are refused.
fn rows_of_changed(nodes: &[Locked], dirty: &FxHashSet<Address>) -> Vec<Address> {
    let holds_values = |address: &Address| kinds::kind_of(address).holds_values();
    let tables: FxHashSet<Address> =
        dirty.iter().filter(|address| !holds_values(address)).filter_map(Address::parent).collect();
    let rows = nodes.iter().map(|l| &l.node.address).filter(|address| holds_values(address));
    rows.filter(|row| row.parent().is_some_and(|table| tables.contains(&table))).cloned().collect()
}

/// Whether what PostgreSQL made by itself stands in a thing that is still declared.
fn drafted(locked: &Locked, drafts: &FxHashMap<&Address, &Draft>) -> bool {
    let thing = locked.node.address.thing();
    drafts.contains_key(&thing) || locked.node.needs.iter().any(|need| drafts.contains_key(need))
}

/// Whether an expression in a spec calls a routine of some name, which is written as it stands there.
fn calls(spec: &str, routine: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    spec.match_indices(routine).any(|(at, _)| {
        let after = &spec[at + routine.len()..];
        !spec[..at].ends_with(is_name) && after.strip_prefix("\\\"").unwrap_or(after).starts_with('(')
    })
}

/// Goes from what is dirty, and relations whose columns stand in another order, to what rests on it, until nothing is added.
fn spread(
    nodes: &[Locked],
    dirty: &mut FxHashSet<Address>,
    reordered: &FxHashSet<Address>,
    shadows: &FxHashSet<(String, String)>,
) {
    if dirty.is_empty() && reordered.is_empty() {
        return;
    }
    let bodies: Vec<(&Locked, FxHashSet<String>)> =
        nodes.iter().filter_map(|l| Some((l, words(&kinds::kind_of(&l.node.address).untracked(&l.node)?)))).collect();
    loop {
        let relations: FxHashSet<Address> =
            dirty.iter().filter(|a| a.kind() == "column" || *a == &a.thing()).map(Address::thing).collect();
        let implied = dirty.iter().filter(|address| kinds::kind_of(address).is_implied());
        let bringers: FxHashSet<Address> = implied.filter_map(Address::parent).collect();
        let mut more: Vec<Address> = Vec::new();
        for Locked { node, reads, .. } in nodes.iter().filter(|l| !dirty.contains(&l.node.address)) {
            // Columns come and go with their view, and it is made again for one of them.
            let implied =
                kinds::kind_of(&node.address).is_implied() && node.address.parent().is_some_and(|p| dirty.contains(&p));
            let rests = implied
                || bringers.contains(&node.address)
                || node.needs.iter().any(|need| {
                    dirty.contains(need)
                        || (!shadows.is_empty() && name_of(&need.thing()).is_some_and(|n| shadows.contains(&n)))
                });
            if rests || reads.iter().any(|r| relations.contains(r) || reordered.contains(r)) {
                more.push(node.address.clone());
            }
        }
        let things: FxHashSet<String> = dirty.iter().filter_map(|a| Some(name_of(&a.thing())?.1)).collect();
        let names_one = |words: &FxHashSet<String>| words.iter().any(|word| things.contains(word));
        let bodies = bodies.iter().filter(|(l, words)| !dirty.contains(&l.node.address) && names_one(words));
        more.extend(bodies.map(|(l, _)| l.node.address.clone()));
        if more.is_empty() {
            return;
        }
        dirty.extend(more);
    }
}

/// The sort of name that routines have.
const ROUTINE: &str = "routine";

/// The name by which SQL finds a thing, and the sort of name it is.
fn name_of(address: &Address) -> Option<(String, String)> {
    if address.depth() != 2 {
        return None;
    }
    match kinds::routine::bare_name(address) {
        Some(name) => Some((ROUTINE.to_owned(), name)),
        None => Some((String::new(), address.name().to_owned())),
    }
}

/// The names in a body.
fn words(body: &str) -> FxHashSet<String> {
    let found = tokens(body).unwrap_or_default();
    found.iter().map(|token| token.text.trim_matches('"').replace("\"\"", "\"").to_lowercase()).collect()
}

/// Things by the name that a body may call them.
fn names(written: &Model, kept: &[Locked], bodies: Bodies) -> FxHashMap<String, Vec<Address>> {
    let mut names: FxHashMap<String, Vec<Address>> = FxHashMap::default();
    // Also what has not changed and is built again has a body, maybe.
    let all = || written.nodes().iter().chain(kept.iter().map(|l| &l.node));
    if !written.nodes().is_empty() && all().any(|node| bodies.of(node).is_some()) {
        for address in all().map(|node| &node.address) {
            if let Some((_, name)) = name_of(address) {
                names.entry(name.to_lowercase()).or_default().push(address.clone());
            }
        }
    }
    names
}

/// What is written anew, and for all else what the lock has; with what bodies name that no catalog tracks.
pub struct Mix<'a> {
    written: &'a Model,
    /// Sorted by address.
    kept: &'a [Locked],
    /// Of those that were written otherwise than PostgreSQL prints them: where they are kept.
    aliases: FxHashMap<&'a Address, usize>,
    names: FxHashMap<String, Vec<Address>>,
    bodies: Bodies,
}

/// Which bodies need what they name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bodies {
    /// Those that PostgreSQL checks when they are created.
    Checked,
    /// All that may be run.
    Run,
}

impl Bodies {
    fn of(self, node: &Node) -> Option<String> {
        let kind = kinds::kind_of(&node.address);
        match self {
            Self::Checked => kind.untracked(node),
            Self::Run => kind.code(node),
        }
    }
}

impl<'a> Mix<'a> {
    /// A model that stands by itself.
    pub fn of(model: &'a Model, bodies: Bodies) -> Self {
        Self { names: names(model, &[], bodies), bodies, written: model, kept: &[], aliases: FxHashMap::default() }
    }
}

impl Lookup for Mix<'_> {
    fn get(&self, address: &Address) -> Option<&Node> {
        self.written.get(address).or_else(|| {
            let at = self.kept.binary_search_by(|l| l.node.address.cmp(address)).ok();
            Some(&self.kept.get(at.or_else(|| self.aliases.get(address).copied())?)?.node)
        })
    }

    fn children(&self, address: &Address) -> Vec<&Node> {
        let depth = address.depth() + 1;
        let start = self.kept.partition_point(|l| l.node.address < *address);
        let kept = self.kept[start..].iter().map(|l| &l.node).take_while(|n| n.address.is_within(address));
        let direct = kept.filter(|n| n.address.depth() == depth);
        self.written.children(address).chain(direct).collect()
    }

    fn needs(&self, node: &Node) -> Vec<Address> {
        let mut needs = node.needs.clone();
        if let Some(body) = self.bodies.of(node).filter(|_| !self.names.is_empty()) {
            needs.extend(words(&body).iter().filter_map(|word| self.names.get(word)).flatten().cloned());
        }
        needs
    }
}
