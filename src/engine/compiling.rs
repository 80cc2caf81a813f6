//! Brings the lock up to date: reads what changed, compiles it for each major, and writes the lock.

use super::{Choices, Desired, Writing};
use crate::catalog::Session;
use crate::compile::lock::{self, Lock, Locked, LockedSettings};
use crate::compile::surroundings::{self, Stubs};
use crate::compile::{self, Increment, Reading, Scratch};
use crate::declare::Declaration;
use crate::error::{Error, Result};
use crate::model::{Model, Node};
use std::collections::{BTreeMap, BTreeSet};

/// Compiles what is stale for majors, and writes the lock; the model of the first is returned. Other majors that the
/// lock holds stay, and are compiled too where they have to be and that is possible here. With `adopted_too`, also what was adopted from a database.
///
/// # Errors
/// Mistakes in the declaration, no scratch to be had, what the server refuses.
pub async fn compile(choices: &Choices<'_>, majors: &[u32], adopted_too: bool) -> Result<Desired> {
    // A lock that cannot be read is replaced.
    let lock = Lock::read(&lock::path_of(&choices.declaration)).ok().flatten();
    Box::pin(renew(choices, lock, majors, adopted_too)).await
}

/// The same, with the lock that there is.
pub(super) async fn renew(
    choices: &Choices<'_>,
    lock: Option<Lock>,
    majors: &[u32],
    adopted_too: bool,
) -> Result<Desired> {
    let path = lock::path_of(&choices.declaration);
    let held = lock.iter().flat_map(|lock| &lock.header.majors).filter(|major| !majors.contains(major));
    let all: Vec<u32> = majors.iter().chain(held).copied().collect();
    let (mut reading, stubs, increments) = read(choices, &all, lock.as_ref(), adopted_too).await?;
    let mut locked: BTreeMap<u32, Vec<Locked>> = BTreeMap::new();
    for (major, increment) in increments {
        let is_fresh = increment.part.nodes().is_empty();
        if !majors.contains(&major) && !is_fresh && !choices.scratch.can_compile(major) {
            (choices.progress)(&format!("note: the lock no longer holds PostgreSQL {major}, which is not here"));
            continue;
        }
        let nodes = match compile_one(&reading.declaration, increment, choices, major).await? {
            Some(nodes) => nodes,
            // Names clash: only together can they be told apart.
            None => {
                let (whole, _, mut all) = read(choices, &[major], None, true).await?;
                reading = whole;
                let all = all.remove(&major).unwrap_or_default();
                compile_one(&reading.declaration, all, choices, major).await?.unwrap_or_default()
            }
        };
        locked.insert(major, nodes);
    }
    let declared = &reading.declaration.settings;
    let settings = LockedSettings {
        schemas: declared.schemas.clone(),
        ignore: declared.ignore.clone(),
        search_path: declared.search_path.clone(),
        tenancy: declared.tenancy.clone(),
        stubs,
    };
    let first = majors.first().and_then(|major| locked.get(major));
    let first = first.ok_or_else(|| Error::new("no server major was named"))?;
    let model = Model::new(first.iter().map(|locked| locked.node.clone()).collect());
    let adopted = !adopted_too && lock.as_ref().is_some_and(|lock| lock.header.adopted);
    let (Declaration { sources, basis, .. }, named) = (reading.declaration, settings.clone());
    let writing = Writing::begin(move || {
        let before = lock.as_ref();
        let origin = lock::Origin { sources: &sources, basis: &basis, settings: named, adopted, before };
        lock::store(&path, &lock::write(&locked, &origin)?)
    });
    Ok(Desired { model, settings, lock: writing, deep: true })
}

/// Reads as much of the declaration as has to be, with what others own, and says what has to be compiled.
async fn read(
    choices: &Choices<'_>,
    majors: &[u32],
    lock: Option<&Lock>,
    adopted_too: bool,
) -> Result<(Reading, Stubs, BTreeMap<u32, Increment>)> {
    let may_stay = |lock: &&Lock| {
        !(adopted_too && lock.header.adopted) && majors.iter().all(|major| lock.header.majors.contains(major))
    };
    let unchanged = lock.filter(may_stay);
    let mut more = BTreeSet::new();
    loop {
        let mut reading = compile::read(&choices.declaration, unchanged, &more)?;
        let mut stubs = surround(&mut reading.declaration, choices, lock).await?;
        // Something of others came in with what changed: from then on all is read.
        if !reading.is_whole() && !stubs.is_empty() {
            reading = compile::read(&choices.declaration, None, &more)?;
            stubs = surround(&mut reading.declaration, choices, lock).await?;
        }
        let increments = reading.increments(lock, majors, &stubs, adopted_too)?;
        let unread: Vec<String> = increments.values().flat_map(|i| i.unread.iter().cloned()).collect();
        if unread.is_empty() {
            return Ok((reading, stubs, increments));
        }
        more.extend(unread);
    }
}

/// Adds to the declaration what it refers to and does not own.
async fn surround(declaration: &mut Declaration, choices: &Choices<'_>, old: Option<&Lock>) -> Result<Stubs> {
    let target = match choices.target {
        Some(target) if !declaration.foreign.is_empty() => Some(Session::open(target).await?),
        Some(_) | None => None,
    };
    surroundings::complete(declaration, target.as_ref(), old.map(|old| &old.header.settings.stubs)).await
}

/// All nodes for one major; None where names clash with what is not compiled again.
async fn compile_one(
    declaration: &Declaration,
    increment: Increment,
    choices: &Choices<'_>,
    major: u32,
) -> Result<Option<Vec<Locked>>> {
    if declaration.settings.postgres > major {
        let message =
            format!("the declaration says `postgres: {}`, the server is {major}", declaration.settings.postgres);
        return Err(Error::new(message).with_hint("lower `postgres` in the declaration, or use a newer server"));
    }
    if increment.part.nodes().is_empty() {
        return Ok(Some(increment.kept));
    }
    let external = declaration.external.iter().map(|draft| &draft.node);
    let of_extension = |n: &&Node| n.address.kind() == "extension";
    let extensions = increment.part.nodes().iter().chain(external).filter(of_extension);
    let extensions: Vec<String> = extensions.map(|n| n.address.name().to_owned()).collect();
    let mut scratch = Scratch::open(&choices.scratch, major, &extensions, choices.env).await?;
    (choices.progress)(&format!("compiling for PostgreSQL {major} on {}", scratch.words));
    let compiled = compile::compile(declaration, increment, &mut scratch, choices.progress).await;
    let closed = scratch.close().await;
    let nodes = compiled?;
    closed?;
    Ok(nodes)
}
