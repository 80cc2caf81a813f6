//! From drafts to a model: PostgreSQL builds them in scratch and its catalog is read back.
//!
//! What a server printed may print differently when it is fed back (a check over `varchar IN (...)` does).
//! So the model is built again from its own prints until nothing changes; the last print is what
//! plans run and what is compared, and every earlier one is remembered as meaning the same.
//!
//! Each round is built, read and rolled back in one database where that can be: to make an empty one takes a server longer
//! than to build most declarations.

mod attempt;
mod build;
mod clones;
pub mod closure;
mod feed;
mod halves;
mod increment;
pub mod lock;
mod mistakes;
mod refresh;
mod scratch;
pub mod server;
pub mod settle;
pub mod surroundings;

pub use increment::{Bodies, Increment, Mix};
pub use refresh::{read, sources, Reading};
pub use scratch::{abandon, extension, Built, Place, Room, Scratch};

use crate::catalog::{self, Wanted};
use crate::declare::{Declaration, Settings};
use crate::error::{Error, Problem, Result};
use crate::kinds::{self, Draft};
use crate::model::{Address, Model};
use crate::plan::rename::{backwards, follow};
use attempt::Attempts;
use clones::Clones;
use feed::{feed, Fed, Site};
use halves::{halves, side_by_side};
use lock::Locked;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Rounds until prints must have settled. Two do for nearly everything; a constructed array that is cast from type to
/// type takes one for each cast, and nothing is known that never settles.
const ROUNDS: usize = 16;

/// Compiles what an increment asks for, and puts it together with what stays. None if PostgreSQL gave something it made
/// by itself the name of something that stays: then all has to be compiled together. `progress` is told what is done.
///
/// # Errors
/// What the server refuses, at the place in the YAML that caused it; prints that never settle.
pub async fn compile(
    declaration: &Declaration,
    increment: Increment,
    scratch: &mut Scratch,
    progress: &dyn Fn(&str),
) -> Result<Option<Vec<Locked>>> {
    let Increment { part, mut kept, unread: _ } = increment;
    let model = build(declaration, &part, &kept, scratch, progress).await?;
    let stays = |address: &Address| kept.binary_search_by(|l| l.node.address.cmp(address)).is_ok();
    // Every scratch has the schema `public`, asked for or not.
    let asked = |l: &Locked| {
        part.get(&l.node.address).is_some() || l.node.address.kind() == "schema" || declaration.lays(&l.node)
    };
    let made: Vec<Locked> = model.into_iter().filter(|l| !asked(l) || !stays(&l.node.address)).collect();
    let hidden: HashSet<(String, String)> =
        made.iter().filter_map(|l| kinds::kind_of(&l.node.address).hidden(&l.node)).collect();
    let is_hidden = |l: &&Locked| kinds::names(&l.node).iter().any(|name| hidden.contains(name));
    let clash = made.iter().find(|l| stays(&l.node.address));
    if let Some(clash) = clash.or_else(|| kept.iter().filter(|_| !hidden.is_empty()).find(is_hidden)) {
        progress(&format!("the name of {} is taken: compiling all together", clash.node.address));
        return Ok(None);
    }
    kept.extend(made);
    kept.sort_by(|a, b| a.node.address.cmp(&b.node.address));
    Ok(Some(kept))
}

/// Builds a part of a declaration in scratch and reads it back until its prints are stable.
async fn build(
    declaration: &Declaration,
    part: &Model,
    kept: &[Locked],
    scratch: &mut Scratch,
    progress: &dyn Fn(&str),
) -> Result<Vec<Locked>> {
    if part.nodes().is_empty() {
        return Ok(Vec::new());
    }
    let settings = &declaration.settings;
    let of = |kind: &'static str| part.nodes().iter().filter(move |n| n.address.kind() == kind);
    let wanted = Wanted {
        schemas: settings.schemas.clone(),
        ignore: settings.ignore.clone(),
        rows: of("row").cloned().collect(),
        // Others' extensions are there too.
        extensions: Some(of("extension").map(|node| node.address.name().to_owned()).collect()),
    };
    scratch.surround(declaration.ground(), part);
    scratch.roles(&build::roles(part)).await?;
    progress(&format!("building {} things in scratch", part.nodes().len()));
    let (room, built, clones, printed) = print(declaration, part, scratch, &wanted, progress).await?;
    not_brought_along(&declaration.drafts, &printed)?;
    let major = scratch.major();
    let (site, fed) = feed(Site { scratch, room, built, clones }, printed, part, &wanted, settings, progress).await?;
    let mut nodes = finish(fed, declaration, kept, major);
    if nodes.iter().any(|l| l.node.hints.as_ref().is_some_and(|h| h.was.is_some())) {
        progress("printing under the old names of what is renamed");
        let room = site.next().await?.room;
        let model = Model::new(nodes.iter().map(|l| l.node.clone()).collect());
        let mut prints = old_names(&room, &model, &wanted, settings).await?;
        for locked in &mut nodes {
            locked.node.old_prints = prints.remove(&locked.node.address).unwrap_or_default();
        }
    }
    Ok(nodes)
}

/// Builds a part of a declaration and reads it back, where that is worth it in two halves at once; also the room, and
/// what is left in it.
async fn print(
    declaration: &Declaration,
    part: &Model,
    scratch: &mut Scratch,
    wanted: &Wanted,
    progress: &dyn Fn(&str),
) -> Result<(Room, Built, Clones, Model)> {
    let is_large = scratch.apart.is_some_and(|many| part.nodes().len() >= many);
    if let Some(halves) = is_large.then(|| halves(part)).flatten() {
        progress("in two databases at once");
        match side_by_side(&halves, declaration, scratch, wanted, progress).await? {
            Some((room, built, printed)) => return Ok((room, built, Clones::default(), printed)),
            None => progress("that does not do: building all together"),
        }
    }
    let mut room = scratch.database().await?;
    let mut attempts = Attempts::new(&room, declaration, part, scratch.many);
    let (built, clones) = loop {
        match attempts.next(&room, progress).await? {
            Some(built) => break built,
            None => room = room.next(scratch, attempts.left()).await?,
        }
    };
    clones.words().into_iter().for_each(|words| progress(&words));
    let printed = clones.read_back(&room, wanted).await?;
    Ok((room, built, clones, printed))
}

/// What the server prints while declared renames are still to be done: with the declared ones taken back,
/// and with the names that follow them taken back too.
async fn old_names(
    session: &Room,
    model: &Model,
    wanted: &Wanted,
    settings: &Settings,
) -> Result<HashMap<Address, Vec<(String, String)>>> {
    // What refers to a renamed table shows that.
    build::model(session, model, settings, None).await?;
    let (declared, following) = backwards(model);
    let mut prints: HashMap<Address, Vec<(String, String)>> = HashMap::new();
    let mut undone: Vec<(Address, Address)> = Vec::new();
    for renames in [following, declared] {
        for rename in renames {
            let Some(up) = &rename.up else { continue };
            session.client.batch_execute("SAVEPOINT rename").await?;
            // A follower may not be there under that name any more: then there is nothing to learn.
            if session.client.batch_execute(&up.sql).await.is_ok() {
                undone.push((rename.to, rename.from));
                session.client.batch_execute("RELEASE rename").await?;
            } else {
                session.client.batch_execute("ROLLBACK TO rename").await?;
            }
        }
        for old in read_back(session, wanted).await?.into_nodes() {
            let address = undone.iter().rev().fold(old.address.clone(), |at, (to, from)| follow(&at, to, from));
            let Some(node) = model.get(&address).filter(|n| n.spec != old.spec) else { continue };
            if let (Ok(a), Ok(b)) = (old.spec.read(), node.spec.read()) {
                let mut pairs = Vec::new();
                pair(&a, &b, &mut pairs);
                if kinds::kind_of(&address).holds_values() {
                    pairs.retain(|(old, new)| is_told_by_text(&a, &b, old, new));
                }
                prints.entry(address).or_default().extend(pairs);
            }
        }
    }
    for pairs in prints.values_mut() {
        pairs.sort();
        pairs.dedup();
    }
    Ok(prints)
}

/// Refuses what is declared of a part that its whole does not have: no statement fails for want of it.
fn not_brought_along(drafts: &[crate::kinds::Draft], built: &Model) -> Result<()> {
    let mut problems = Vec::new();
    for draft in drafts {
        let address = &draft.node.address;
        let Some(parent) = address.parent().filter(|parent| built.get(parent).is_some()) else { continue };
        if kinds::kind_of(address).is_implied() && built.get(address).is_none() {
            let names: Vec<&str> = built
                .children(&parent)
                .filter(|n| n.address.kind() == address.kind())
                .map(|n| n.address.name())
                .collect();
            let problem = Problem::new(&draft.pos, format!("{parent} has no column `{}`", address.name()));
            problems.push(problem.hint(format!("it has: {}", names.join(", "))));
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Declaration(problems))
    }
}

/// Reads what the transaction that is open has built.
async fn read_back(session: &catalog::Session, wanted: &Wanted) -> Result<Model> {
    let mut loaded = catalog::load_within(session, wanted).await?;
    if let Some(unread) = loaded.unchecked.first() {
        // What is not read would be taken for not declared.
        return Err(Error::new(format!("it cannot be read back from scratch: {unread}")).with_hint(
            "compile on a local server (`--scratch local`), or as a role that row security does not hold back",
        ));
    }
    catalog::dependencies(session, &mut loaded, catalog::Names::default()).await?;
    Ok(loaded.model)
}

/// Puts together what the server says and what only the declaration says: facets, hints, and where it stands.
fn finish(fed: Fed, declaration: &Declaration, kept: &[Locked], major: u32) -> Vec<Locked> {
    let Fed { model: last, earlier } = fed;
    let drafts: HashMap<&Address, &Draft> = declaration.drafts.iter().map(|d| (&d.node.address, d)).collect();
    let mut nodes: Vec<Locked> = Vec::with_capacity(last.nodes().len());
    for mut node in last.into_nodes() {
        let draft = drafts.get(&node.address).copied();
        let mut prints = Vec::new();
        for old in earlier.get(&node.address).into_iter().flatten() {
            if let (Ok(a), Ok(b)) = (old.read(), node.spec.read()) {
                pair(&a, &b, &mut prints);
            }
        }
        // So does what was written, where a server printed it before it was declared.
        let mut pairs = Vec::new();
        if let Some(written) = draft.map(|d| &d.node).filter(|written| written.spec != node.spec) {
            if let (Ok(a), Ok(b)) = (written.spec.read(), node.spec.read()) {
                pair(&a, &b, &mut pairs);
                prints.extend(pairs.into_iter().filter(|(text, print)| qualifies(text) == qualifies(print)));
            }
        }
        prints.sort();
        prints.dedup();
        // Of a value there is one print.
        if kinds::kind_of(&node.address).holds_values() {
            prints.clear();
        }
        node.prints = prints;
        (node.owner, node.comment, node.grants) = (None, None, None);
        let mut locked =
            Locked { node, source: Box::default(), written: None, alias: None, reads: Vec::new(), line: None };
        if let Some(draft) = draft {
            locked.declared_by(draft, major);
        } else if let Ok(at) = kept.binary_search_by(|l| l.node.address.cmp(&locked.node.address)) {
            locked.node.hints.clone_from(&kept[at].node.hints);
        }
        nodes.push(locked);
    }
    // Functions over types that only the server could name: the same name and number of arguments.
    let there: HashSet<Address> = nodes.iter().map(|l| l.node.address.clone()).collect();
    let is_routine = |address: &Address| kinds::overloaded_name(address).is_some();
    let mut unclaimed: Vec<&mut Locked> = nodes
        .iter_mut()
        .filter(|l| is_routine(&l.node.address) && l.alias.is_none() && !drafts.contains_key(&l.node.address))
        .collect();
    let missing = |d: &&Draft| is_routine(&d.node.address) && !there.contains(&d.node.address);
    for draft in declaration.drafts.iter().filter(missing) {
        if let Some(at) =
            unclaimed.iter().position(|l| kinds::routine::same_shape(&l.node.address, &draft.node.address))
        {
            let locked = unclaimed.remove(at);
            locked.declared_by(draft, major);
            locked.alias = Some(draft.node.address.clone());
        }
    }
    let homes = declaration.homes();
    nodes.iter_mut().for_each(|locked| locked.find_home(&homes));
    nodes
}

impl Locked {
    /// Notes the file that declares it: what PostgreSQL made by itself comes from where what it needs does.
    fn find_home(&mut self, homes: &HashMap<Address, String>) {
        let own = self.written_as().thing();
        let mut things = std::iter::once(own).chain(self.node.needs.iter().map(Address::thing));
        if let Some(file) = things.find_map(|thing| homes.get(&thing)).filter(|file| *self.source != ***file) {
            self.source = file.as_str().into();
            self.line = None;
        }
    }

    /// Adds what the declaration alone says.
    fn declared_by(&mut self, draft: &Draft, major: u32) {
        let node = &mut self.node;
        node.owner.clone_from(&draft.node.owner);
        node.comment.clone_from(&draft.node.comment);
        node.grants.clone_from(&draft.node.grants);
        if let (Some(grants), Some(on)) =
            (&mut node.grants, kinds::kind_of(&node.address).grantable(&draft.node, major))
        {
            let grants = Arc::make_mut(grants);
            // An owner that holds everything goes without saying.
            let owner = draft.node.owner.as_deref();
            let all =
                |held: &[crate::model::Privilege]| on.privileges.iter().all(|p| held.iter().any(|h| h.name == *p));
            grants.0.retain(|role, held| Some(role.as_str()) != owner || !all(held));
            // `all` is what the server's major knows.
            grants.0.values_mut().for_each(|held| held.retain(|p| on.privileges.contains(&p.name.as_str())));
        }
        node.hints.clone_from(&draft.node.hints);
        // What a data statement reads has to be there first.
        if node.hints.as_ref().is_some_and(|h| h.backfill.is_some() || h.convert.is_some()) {
            node.needs.extend(draft.node.needs.iter().cloned());
            node.needs.sort();
            node.needs.dedup();
        }
        self.written = Some(increment::written(draft));
        self.reads.clone_from(&draft.reads);
    }
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

/// Whether all that prints as `new` printed as `old` before: values in other columns may be the same text by chance.
fn is_told_by_text(before: &Value, after: &Value, old: &str, new: &str) -> bool {
    match (before, after) {
        (Value::String(a), Value::String(b)) => b != new || a == old,
        (Value::Array(a), Value::Array(b)) => a.iter().zip(b).all(|(a, b)| is_told_by_text(a, b, old, new)),
        (Value::Object(a), Value::Object(b)) => {
            b.iter().all(|(key, b)| a.get(key).is_none_or(|a| is_told_by_text(a, b, old, new)))
        }
        _ => true,
    }
}
