//! What a change does through something else: a function that policies decide by, or that indexes are computed by, a
//! view that reads past row security.

use super::expand::{Fate, Fates};
use crate::kinds::{self, facet, Hazard, Scope};
use crate::model::{Address, Model, Node};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// By the address of what changes: why other rows are let through than before, or found.
pub fn consequences(fates: &Fates, scope: &Scope) -> BTreeMap<Address, Vec<(Hazard, String)>> {
    let mut found = BTreeMap::new();
    for node in fates.values().filter_map(|fate| is_given_away(fate, scope)) {
        if let Some(table) = secured(node, scope) {
            let why = format!(
                "others read {table} through it with the rights of its owner, whatever row security lets them see"
            );
            found.insert(node.address.clone(), vec![(Hazard::AccessWidened, why)]);
        }
    }
    let changed: Vec<&Node> = fates.values().filter_map(|fate| computes_otherwise(fate, scope)).collect();
    if changed.is_empty() {
        return found;
    }
    let users = users(scope.desired);
    for node in changed {
        let decides = deciding(node, &users, scope)
            .map(|policy| format!("{policy} decides by it: other rows are let through than before"));
        let past = secured(node, scope).map(|table| {
            format!("it reads {table} with the rights of its owner, whatever row security lets who asks see, and shows other rows than before")
        });
        let stored = stored(node, &users, fates, scope).map(|why| (Hazard::DataLoss, why));
        let reasons = decides.into_iter().chain(past).map(|why| (Hazard::AccessWidened, why));
        let reasons: Vec<(Hazard, String)> = reasons.chain(stored).collect();
        if !reasons.is_empty() {
            found.insert(node.address.clone(), reasons);
        }
    }
    found
}

/// What becomes of something that is there before and after and gives other results then.
fn computes_otherwise<'a>(fate: &Fate<'a>, scope: &Scope) -> Option<&'a Node> {
    let (old, new) = match fate {
        Fate::Alter { old, new, .. }
        | Fate::Replace { old, new }
        | Fate::Swap { old, new, .. }
        | Fate::Lift { old, new, .. } => (old, new),
        Fate::Create(_) | Fate::Drop(_) => return None,
    };
    let kind = kinds::kind_of(&new.address);
    (kind.computes(old)? != kind.computes(new)? && !(scope.same_spec)(old, new)).then_some(new)
}

/// What is new and somebody besides its owner may use, be it by default privileges.
fn is_given_away<'a>(fate: &Fate<'a>, scope: &Scope) -> Option<&'a Node> {
    let Fate::Create(new) = fate else { return None };
    // What is granted on its columns gives those away.
    let parts = scope.desired.children(&new.address);
    let mut others =
        std::iter::once(*new).chain(parts).flat_map(|node| &node.grants).flat_map(|grants| grants.0.keys());
    let is_granted = others.any(|role| Some(role.as_str()) != new.owner.as_deref());
    (is_granted || !facet::given(kinds::kind_of(&new.address), new, scope).is_empty()).then_some(*new)
}

/// Who rests on something, or on a part of a thing, such as a column of a view.
fn users(model: &Model) -> HashMap<Address, Vec<&Node>> {
    let mut users: HashMap<Address, Vec<&Node>> = HashMap::new();
    for node in model.nodes() {
        for need in &node.needs {
            let thing = need.thing();
            if thing != *need {
                users.entry(thing).or_default().push(node);
            }
            users.entry(need.clone()).or_default().push(node);
        }
    }
    users
}

/// All that rests on a node, be it through others that compute and do not stop there.
fn resting<'a>(
    node: &'a Node,
    users: &HashMap<Address, Vec<&'a Node>>,
    stops: impl Fn(&Node) -> bool,
) -> BTreeMap<&'a Address, &'a Node> {
    let (mut found, mut next) = (BTreeMap::new(), vec![&node.address]);
    while let Some(address) = next.pop() {
        for &user in users.get(address).into_iter().flatten().filter(|user| user.address != node.address) {
            let is_new = found.insert(&user.address, user).is_none();
            if is_new && kinds::kind_of(&user.address).computes(user).is_some() && !stops(user) {
                next.push(&user.address);
            }
        }
    }
    found
}

/// The first thing that decides which rows are seen of what row security held back before, and rests on the node.
fn deciding<'a>(node: &'a Node, users: &HashMap<Address, Vec<&'a Node>>, scope: &Scope) -> Option<&'a Address> {
    let decides = |user: &&Node| {
        let table = user.address.parent();
        kinds::kind_of(&user.address).decides_on_rows() && table.is_some_and(|table| is_secured(&table, scope.actual))
    };
    resting(node, users, |_| false).into_values().find(decides).map(|user| &user.address)
}

/// Why what is stored somewhere is no longer what the node computes.
fn stored<'a>(node: &'a Node, users: &HashMap<Address, Vec<&'a Node>>, fates: &Fates, scope: &Scope) -> Option<String> {
    let words = |node: &Node| kinds::kind_of(&node.address).stores_results(node);
    // What it stores itself is computed again.
    if words(node).is_some() {
        return None;
    }
    let stays = |address: &Address| match fates.get(address) {
        None | Some(Fate::Lift { .. }) => true,
        Some(fate @ Fate::Alter { .. }) => computes_otherwise(fate, scope).is_none(),
        Some(Fate::Create(_) | Fate::Drop(_) | Fate::Replace { .. } | Fate::Swap { .. }) => false,
    };
    let resting = resting(node, users, |user| words(user).is_some());
    let mut stored =
        resting.into_iter().filter(|(address, _)| stays(address)).filter_map(|(a, n)| Some((a, words(n)?)));
    let (first, words) = stored.next()?;
    let more = match stored.count() {
        0 => String::new(),
        others => format!(" (and {others} more)"),
    };
    Some(format!("{first}{more} keeps what the former body computed: {words}"))
}

fn is_secured(relation: &Address, model: &Model) -> bool {
    model.children(relation).any(|part| kinds::kind_of(&part.address).secures(part))
}

/// The first relation under row security, before and after, that the node reads with its owner's rights, be it through
/// views.
fn secured(node: &Node, scope: &Scope) -> Option<Address> {
    if !kinds::kind_of(&node.address).reads_as_owner(node) {
        return None;
    }
    let (mut seen, mut next, mut found) = (BTreeSet::new(), vec![node], BTreeSet::new());
    while let Some(reader) = next.pop() {
        for relation in reader.needs.iter().map(Address::thing) {
            if !seen.insert(relation.clone()) {
                continue;
            }
            if is_secured(&relation, scope.desired) && is_secured(&relation, scope.actual) {
                found.insert(relation.clone());
            }
            // Others read with the rights of who asks.
            next.extend(scope.desired.get(&relation).filter(|n| kinds::kind_of(&n.address).reads_as_owner(n)));
        }
    }
    found.into_iter().next()
}
