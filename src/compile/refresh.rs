//! From a stale lock to what has to be compiled: reads what changed of a declaration, and no more.
//!
//! Files that are as they were need not be read again as long as settings and templates are the same. Where something
//! in such a file rests on what changed, it is read after all.

use super::increment::{increment, Before, Increment};
use super::lock::{Lock, Locked};
use crate::declare::{self, files, Declaration, Known, Source, Sources};
use crate::error::{Error, Result};
use crate::model::{Model, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A declaration, as far as it was read, and what has to be compiled for each major.
pub struct Refresh {
    pub declaration: Declaration,
    pub increments: BTreeMap<u32, Increment>,
    /// Whether the lock that stays in part was read from a live database and never compiled.
    pub adopted: bool,
}

/// The sources of a declaration, bodies that the lock knows of included, without parsing anything.
pub fn sources(path: &Path, lock: &Lock) -> Result<Sources> {
    let (root, paths) = files::list(path)?;
    let mut all = Sources { root: root.clone(), files: Vec::new() };
    let bodies = lock.bodies().map(|b| root.join(b)).filter(|p| p.exists());
    for file in paths.into_iter().chain(bodies) {
        let bytes = std::fs::read(&file).map_err(|e| Error::new(format!("cannot read {}: {e}", file.display())))?;
        all.files.push(Source { path: files::relative(&root, &file), digest: files::digest(&bytes) });
    }
    all.files.sort();
    all.files.dedup();
    Ok(all)
}

/// Everything, without a look at any lock. Errors: mistakes in the declaration.
pub fn afresh(path: &Path, majors: &[u32]) -> Result<Refresh> {
    let declaration = declare::read(path)?;
    let whole = || Model::new(declaration.drafts.iter().map(|d| d.node.clone()).collect());
    let all = || Increment { part: whole(), kept: Vec::new(), unread: BTreeSet::new() };
    let increments = majors.iter().map(|major| (*major, all())).collect();
    Ok(Refresh { declaration, increments, adopted: false })
}

/// What has to be compiled for these majors, given a lock that may be stale. With `adopted_too`, also what was adopted
/// from a database and never compiled. Errors: mistakes in the declaration.
pub fn refresh(path: &Path, lock: &Lock, majors: &[u32], adopted_too: bool) -> Result<Refresh> {
    let held = |major: &&u32| lock.header.majors.contains(major);
    let Some(first) = majors.iter().find(held) else { return afresh(path, majors) };
    let adopted_too = adopted_too && lock.header.adopted;
    let now = sources(path, lock)?;
    let changed: BTreeSet<String> = lock.stale(&now).into_iter().collect();
    if adopted_too || lock.bodies().any(|body| changed.contains(body)) {
        return whole(path, lock, majors, adopted_too);
    }
    let nodes = lock.locked(*first)?;
    let moved = lock.moved();
    // What has to be read: what changed, and what all rest on.
    let mut read: BTreeSet<String> = changed.iter().cloned().chain(lock.basis().map(str::to_owned)).collect();
    loop {
        let known = known(lock, &nodes, &read);
        let mut declaration = declare::read_part(path, &known)?;
        if declaration.basis.digest != lock.header.basis {
            return whole(path, lock, majors, adopted_too);
        }
        declaration.sources.files.extend(now.files.iter().filter(|s| lock.bodies().any(|b| b == s.path)).cloned());
        declaration.sources.files.sort();
        declaration.sources.files.dedup();
        // What is in no file rests on the settings.
        let was_read = |source: &str| source.is_empty() || read.contains(source);
        let mut increments = BTreeMap::new();
        for major in majors {
            let nodes = if lock.header.majors.contains(major) { lock.locked(*major)? } else { Vec::new() };
            let before = Before { nodes, read: &was_read, moved: moved.clone(), adopted_too };
            increments.insert(*major, increment(&declaration, before));
        }
        let more: BTreeSet<String> = increments.values().flat_map(|i| i.unread.iter().cloned()).collect();
        if more.is_empty() {
            if majors.iter().any(|major| !lock.header.majors.contains(major)) {
                return whole(path, lock, majors, adopted_too);
            }
            return Ok(Refresh { declaration, increments, adopted: lock.header.adopted });
        }
        read.extend(more);
    }
}

/// All files are read; what is as it was is not compiled again.
fn whole(path: &Path, lock: &Lock, majors: &[u32], adopted_too: bool) -> Result<Refresh> {
    let declaration = declare::read(path)?;
    let mut increments = BTreeMap::new();
    for major in majors {
        let nodes = if lock.header.majors.contains(major) { lock.locked(*major)? } else { Vec::new() };
        let before = Before { nodes, read: &|_| true, moved: lock.moved(), adopted_too };
        increments.insert(*major, increment(&declaration, before));
    }
    Ok(Refresh { declaration, increments, adopted: lock.header.adopted && !adopted_too })
}

/// What the lock knows of the files that are not read.
fn known<'a>(lock: &'a Lock, nodes: &'a [Locked], read: &BTreeSet<String>) -> Known<'a> {
    let files = lock.files().map(|(path, _)| path).filter(|path| !read.contains(*path)).collect();
    let unread = |l: &&Locked| !l.source.is_empty() && !read.contains(&*l.source);
    let nodes: Vec<&Node> = nodes.iter().filter(unread).map(|l| &l.node).collect();
    Known { files, nodes }
}
