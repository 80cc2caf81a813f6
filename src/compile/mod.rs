//! From drafts to a model: PostgreSQL builds them in scratch and its catalog is read back.
//!
//! What a server printed may print differently when it is fed back (a check over `varchar IN (...)` does).
//! So the model is built again from its own prints until nothing changes; the last print is what
//! plans run and what is compared, and every earlier one is remembered as meaning the same.

mod build;
pub mod closure;
pub mod lock;
mod mistakes;
mod scratch;
pub mod server;
pub mod settle;

pub use scratch::{Place, Scratch};

use crate::catalog::{self, Wanted};
use crate::declare::Declaration;
use crate::error::{Error, Result};
use crate::kinds;
use crate::model::{Address, Model, Node};
use crate::plan::rename::backwards;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// Rounds until prints must have settled. Two do for nearly everything; a constructed array that is cast from type to
/// type takes one for each cast, and nothing is known that never settles.
const ROUNDS: usize = 16;

/// Builds a declaration in scratch and reads it back. `progress` is told what is being done.
///
/// # Errors
/// What the server refuses, at the place in the YAML that caused it; prints that never settle.
pub async fn compile(declaration: &Declaration, scratch: &mut Scratch, progress: &dyn Fn(&str)) -> Result<Model> {
    let drafts = &declaration.drafts;
    let wanted = Wanted {
        schemas: declaration.settings.schemas.clone(),
        ignore: declaration.settings.ignore.clone(),
        rows: drafts.iter().filter(|d| d.node.address.kind() == "row").map(|d| d.node.clone()).collect(),
        extensions: None,
    };
    scratch.roles(&build::roles(drafts)).await?;
    progress(&format!("building {} declared things in scratch", drafts.len()));
    let session = scratch.database().await?;
    build::drafts(&session, declaration).await?;
    let mut last = read(&session, &wanted).await?;
    drop(session);
    let mut earlier = Vec::new();
    loop {
        progress(&format!("feeding prints back, round {}", earlier.len() + 1));
        let session = scratch.database().await?;
        build::model(&session, &last, &declaration.settings.schemas).await?;
        let again = read(&session, &wanted).await?;
        drop(session);
        let settled = same_specs(&last, &again);
        earlier.push(std::mem::replace(&mut last, again));
        if settled {
            break;
        }
        if earlier.len() == ROUNDS {
            let moving = unsettled(earlier.last(), &last);
            return Err(Error::new(format!("the server's print of {moving} changes each time it is fed back"))
                .with_hint("write the expression another way"));
        }
    }
    let mut model = finish(last, &earlier, drafts, scratch.major());
    if model.nodes().iter().any(|n| n.hints.as_ref().is_some_and(|h| h.was.is_some())) {
        progress("printing under the old names of what is renamed");
        let session = scratch.database().await?;
        model = old_names(&session, model, &wanted, &declaration.settings.schemas).await?;
    }
    Ok(model)
}

/// What the server prints while declared renames are still to be done: with the declared ones taken back,
/// and with the names that follow them taken back too.
async fn old_names(session: &catalog::Session, model: Model, wanted: &Wanted, schemas: &[String]) -> Result<Model> {
    build::model(session, &model, schemas).await?;
    let (declared, following) = backwards(&model);
    let mut prints: HashMap<Address, Vec<(String, String)>> = HashMap::new();
    let mut undone: Vec<(Address, Address)> = Vec::new();
    for renames in [following, declared] {
        for rename in renames {
            // A follower may not be there under that name any more: then there is nothing to learn.
            if session.client.batch_execute(&rename.up.sql).await.is_ok() {
                undone.push((rename.to, rename.from));
            }
        }
        for old in read(session, wanted).await?.into_nodes() {
            let address = undone.iter().rev().fold(old.address.clone(), |at, (to, from)| at.moved(to, from));
            let Some(node) = model.get(&address).filter(|n| n.spec != old.spec) else { continue };
            if let (Ok(a), Ok(b)) = (old.spec.read(), node.spec.read()) {
                pair(&a, &b, prints.entry(address).or_default());
            }
        }
    }
    let nodes = model.into_nodes().into_iter().map(|mut node| {
        node.old_prints = prints.remove(&node.address).unwrap_or_default();
        node.old_prints.sort();
        node.old_prints.dedup();
        node
    });
    Ok(Model::new(nodes.collect()))
}

async fn read(session: &catalog::Session, wanted: &Wanted) -> Result<Model> {
    let mut loaded = catalog::load(session, wanted).await?;
    catalog::dependencies(session, &mut loaded).await?;
    session.release().await?;
    Ok(loaded.model)
}

fn same_specs(a: &Model, b: &Model) -> bool {
    let pairs = || a.nodes().iter().zip(b.nodes());
    a.nodes().len() == b.nodes().len() && pairs().all(|(a, b)| a.address == b.address && a.spec == b.spec)
}

fn unsettled(before: Option<&Model>, after: &Model) -> String {
    let differs = |node: &&Node| before.and_then(|m| m.get(&node.address)).is_none_or(|old| old.spec != node.spec);
    after.nodes().iter().filter(differs).map(|n| n.address.to_string()).collect::<Vec<_>>().join(", ")
}

/// Puts together what the server says and what only the declaration says: facets and hints.
fn finish(last: Model, earlier: &[Model], drafts: &[crate::kinds::Draft], major: u32) -> Model {
    let written: HashMap<&Address, &Node> = drafts.iter().map(|d| (&d.node.address, &d.node)).collect();
    let declared: HashSet<&Address> = written.keys().copied().collect();
    let nodes = last.into_nodes().into_iter().map(|mut node| {
        let mut prints = Vec::new();
        for model in earlier {
            if let Some(old) = model.get(&node.address).filter(|old| old.spec != node.spec) {
                if let (Ok(a), Ok(b)) = (old.spec.read(), node.spec.read()) {
                    pair(&a, &b, &mut prints);
                }
            }
        }
        // So does what was written, where a server printed it before it was declared.
        if let Some(draft) = written.get(&node.address) {
            if let (Ok(a), Ok(b)) = (draft.spec.read(), node.spec.read()) {
                let mut pairs = Vec::new();
                pair(&a, &b, &mut pairs);
                prints.extend(pairs.into_iter().filter(|(text, print)| qualifies(text) == qualifies(print)));
            }
        }
        prints.sort();
        prints.dedup();
        node.prints = prints;
        (node.owner, node.comment, node.grants) = (None, None, None);
        if let Some(draft) = written.get(&node.address) {
            node.owner = draft.owner.clone();
            node.comment = draft.comment.clone();
            node.grants = draft.grants.clone();
            if let (Some(grants), Some(on)) = (&mut node.grants, kinds::kind_of(&node.address).grantable(draft, major))
            {
                // An owner that holds everything goes without saying.
                let owner = draft.owner.as_deref();
                let all =
                    |held: &[crate::model::Privilege]| on.privileges.iter().all(|p| held.iter().any(|h| h.name == *p));
                grants.0.retain(|role, held| Some(role.as_str()) != owner || !all(held));
                // `all` is what the server's major knows.
                grants.0.values_mut().for_each(|held| held.retain(|p| on.privileges.contains(&p.name.as_str())));
            }
            node.hints = draft.hints.clone();
            // What a data statement reads has to be there first.
            if node.hints.as_ref().is_some_and(|h| h.backfill.is_some() || h.convert.is_some()) {
                node.needs.extend(draft.needs.iter().cloned());
                node.needs.sort();
                node.needs.dedup();
            }
        }
        node
    });
    let mut nodes: Vec<Node> = nodes.collect();
    // Functions over types that only the server could name: the same name and number of arguments.
    let there: HashSet<Address> = nodes.iter().map(|n| n.address.clone()).collect();
    for draft in drafts.iter().filter(|d| !there.contains(&d.node.address)) {
        let Some(at) = nodes.iter().position(|n| {
            !declared.contains(&n.address) && kinds::routine::same_shape(&n.address, &draft.node.address)
        }) else {
            continue;
        };
        if let Some(node) = nodes.get_mut(at) {
            let Node { owner, comment, grants, hints, .. } = draft.node.clone();
            (node.owner, node.comment, node.grants, node.hints) = (owner, comment, grants, hints);
        }
    }
    Model::new(nodes)
}

/// What stands on both sides of each point of a text. A server says the schema of all that is not its own: a text
/// that was written without it may be the print of something else, which is found where no schema is said.
fn qualifies(text: &str) -> Vec<(&str, &str)> {
    let tokens = crate::sql::tokens(text).unwrap_or_default();
    let mut found: Vec<(&str, &str)> = tokens
        .windows(3)
        .filter_map(|three| match three {
            [before, point, after] if point.text == "." => Some((before.text, after.text)),
            _ => None,
        })
        .collect();
    found.sort_unstable();
    found
}

/// Pairs the texts that differ between two prints of one spec.
fn pair(old: &Value, new: &Value, prints: &mut Vec<(String, String)>) {
    match (old, new) {
        (Value::String(a), Value::String(b)) if a != b => prints.push((a.clone(), b.clone())),
        (Value::Array(a), Value::Array(b)) => a.iter().zip(b).for_each(|(a, b)| pair(a, b, prints)),
        (Value::Object(a), Value::Object(b)) => {
            for (key, a) in a {
                if let Some(b) = b.get(key) {
                    pair(a, b, prints);
                }
            }
        }
        _ => {}
    }
}
