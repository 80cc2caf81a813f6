//! Feeds prints back until they are stable.
//!
//! Problem: what a server printed may print differently when it is fed back; a few rounds later it no longer does.
//! Method: what was printed as it was written is stable already. Of the rest, things with the same texts over the same
//! surroundings print alike, so one of each class is built, with what it rests on, from its last print.
//! Cost: in proportion to the number of different texts, not of things.
//! Failure: a text that never settles is an error.

use super::clones::Clones;
use super::closure::closure;
use super::scratch::{Built, Room, Scratch};
use super::{build, ROUNDS};
use crate::catalog::Wanted;
use crate::declare::Settings;
use crate::error::{Error, Result};
use crate::kinds;
use crate::model::{Address, Model, Node, Spec};
use std::collections::{BTreeSet, HashMap};

/// What prints lead to.
pub struct Fed {
    /// The last prints.
    pub model: Model,
    /// The prints before them, in their order.
    pub earlier: HashMap<Address, Vec<Spec>>,
}

/// A room to build in, and what became of what was built there last.
pub struct Site<'s> {
    pub scratch: &'s mut Scratch,
    pub room: Room,
    pub built: Built,
    pub clones: Clones,
}

impl Site<'_> {
    /// The same without what was built there last.
    pub async fn next(self) -> Result<Self> {
        let Self { scratch, room, built, clones: _ } = self;
        let room = room.next(scratch, built).await?;
        Ok(Self { scratch, room, built: Built::Open, clones: Clones::default() })
    }
}

/// Feeds back what was printed of the things that were `written` otherwise.
///
/// # Errors
/// Prints that never settle; scratch fails.
pub async fn feed<'s>(
    mut site: Site<'s>,
    printed: Model,
    written: &Model,
    wanted: &Wanted,
    settings: &Settings,
    progress: &dyn Fn(&str),
) -> Result<(Site<'s>, Fed)> {
    let mut model = printed;
    let classes = classes(&model, written);
    let mut open: BTreeSet<Address> = classes.keys().cloned().collect();
    let mut chains: HashMap<Address, Vec<Spec>> = HashMap::new();
    for round in 1.. {
        if open.is_empty() {
            break;
        }
        if round > ROUNDS {
            let moving: Vec<String> = open.iter().map(ToString::to_string).collect();
            let moving = moving.join(", ");
            return Err(Error::new(format!("the server's print of {moving} changes each time it is fed back"))
                .with_hint("write the expression another way"));
        }
        progress(&format!("expressions to print again: {}, round {round}", open.len()));
        site = site.next().await?;
        let part = closure(&model, &open);
        let many = site.scratch.many;
        (site.built, site.clones) = match build::model(&site.room, &part, settings, many).await {
            Ok(built) => built,
            // What runs while it is built may need more than any catalog tells.
            Err(_) => {
                site = site.next().await?;
                build::model(&site.room, &model, settings, many).await?
            }
        };
        let again = site.clones.read_back(&site.room, wanted).await?;
        for address in std::mem::take(&mut open) {
            let (Some(before), Some(now)) = (model.get(&address), again.get(&address)) else { continue };
            if before.spec != now.spec {
                chains.entry(address.clone()).or_default().push(before.spec.clone());
                model.respec(&address, now.spec.clone());
                open.insert(address);
            }
        }
    }
    let mut earlier = HashMap::new();
    for (first, others) in classes {
        let Some(chain) = chains.remove(&first) else { continue };
        let last = model.get(&first).map(|node| node.spec.clone());
        for address in others {
            if let Some(last) = &last {
                model.respec(&address, last.clone());
            }
            earlier.insert(address, chain.clone());
        }
        earlier.insert(first, chain);
    }
    Ok((site, Fed { model, earlier }))
}

/// The things whose print is not what was written, by the first of those that print alike.
fn classes(printed: &Model, written: &Model) -> HashMap<Address, Vec<Address>> {
    let mut firsts: HashMap<String, Address> = HashMap::new();
    let mut classes: HashMap<Address, Vec<Address>> = HashMap::new();
    for node in printed.nodes() {
        let as_written = written.get(&node.address).is_some_and(|written| written.spec == node.spec);
        if as_written || kinds::kind_of(&node.address).printed().is_empty() {
            continue;
        }
        match firsts.get(&class(node, printed)) {
            Some(first) => classes.entry(first.clone()).or_default().push(node.address.clone()),
            None => {
                firsts.insert(class(node, printed), node.address.clone());
                classes.insert(node.address.clone(), Vec::new());
            }
        }
    }
    classes
}

/// All that decides how something prints: its own texts, and what they name. What it names in its own table has the same
/// names in another; the table itself, if it is named, stands in the text.
fn class(node: &Node, model: &Model) -> String {
    let thing = node.address.thing();
    let mut class = format!("{}\0{}", node.address.kind(), node.spec.as_json());
    for need in &node.needs {
        match model.get(need).filter(|_| need.is_within(&thing) && *need != thing) {
            Some(own) => class.push_str(&format!("\0{} {}\0{}", need.kind(), need.name(), own.spec.as_json())),
            None => class.push_str(&format!("\0{}", need.path())),
        }
    }
    class
}

#[cfg(test)]
mod tests {
    use super::classes;
    use crate::model::{Address, Model, Node, Spec};

    #[test]
    fn one_of_those_that_print_alike_is_fed_back() {
        let schema = Address::root("schema", "app");
        let mut nodes = Vec::new();
        for (table, of) in [("a", "text"), ("b", "text"), ("c", "varchar")] {
            let table = schema.child("table", table);
            let column = table.child("column", "x");
            nodes.push(Node::new(column.clone(), Spec::from_json(&format!("{{\"type\":\"{of}\"}}"))));
            let mut check = Node::new(table.child("check", "k"), Spec::from_json("{\"expression\":\"(x > 1)\"}"));
            check.needs.push(column);
            nodes.push(check);
        }
        let printed = Model::new(nodes);
        let firsts = |written: &Model| {
            let mut found: Vec<(String, usize)> =
                classes(&printed, written).into_iter().map(|(a, others)| (a.to_string(), others.len())).collect();
            found.retain(|(address, _)| address.starts_with("check"));
            found.sort();
            found
        };
        let (a, c) = ("check app.a.k".to_owned(), "check app.c.k".to_owned());
        assert_eq!(firsts(&Model::default()), [(a, 1), (c, 0)]);
        assert_eq!(firsts(&printed), []);
    }
}
