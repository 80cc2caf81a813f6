//! From a stale lock to what has to be compiled: reads what changed of a declaration, and no more.
//!
//! Files that are as they were need not be read again as long as settings and templates are the same. Where something
//! in such a file rests on what changed, it is read after all. What others own is looked for as a whole, so that a
//! declaration that refers to it is read as a whole. Most names that nobody declared are PostgreSQL's own: whether one
//! is not, only a target tells.

use super::increment::{increment, Before, Increment};
use super::lock::{Lock, Locked};
use super::surroundings::Stubs;
use crate::declare::{self, files, Declaration, Known, Source, Sources};
use crate::error::{Error, Result};
use crate::model::Node;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A declaration, as far as it was read.
pub struct Reading {
    pub declaration: Declaration,
    /// The files that were read; None if all were.
    read: Option<BTreeSet<String>>,
    /// What the lock holds for one major, where that was looked at already.
    locked: Option<(u32, Vec<Locked>)>,
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

/// Reads what changed since the lock was written, `more` files, and what all rest on; without a lock, everything.
///
/// # Errors
/// Mistakes in the declaration.
pub fn read(path: &Path, lock: Option<&Lock>, more: &BTreeSet<String>) -> Result<Reading> {
    let whole = || Ok(Reading { declaration: declare::read(path)?, read: None, locked: None });
    let lock = lock.filter(|lock| lock.is_one());
    let Some((lock, first)) = lock.and_then(|lock| Some((lock, lock.header.majors.first()?))) else { return whole() };
    let now = sources(path, lock)?;
    let mut read: BTreeSet<String> = lock.stale(&now).into_iter().collect();
    if !lock.header.settings.stubs.is_empty() || lock.bodies().any(|body| read.contains(body)) {
        return whole();
    }
    read.extend(lock.basis().map(str::to_owned).chain(more.iter().cloned()));
    let nodes = lock.locked(*first)?;
    let mut declaration = declare::read_part(path, &known(lock, &nodes, &read))?;
    let basis = &declaration.basis;
    let theirs = declaration.foreign.iter().any(|foreign| foreign.certain);
    // What is external rests on something that is in a file that was not read, maybe.
    let laid = nodes.iter().any(|locked| declaration.lays(&locked.node));
    if basis.digest != lock.header.basis || basis.external != lock.header.external || theirs || laid {
        return whole();
    }
    let bodies = now.files.iter().filter(|source| lock.bodies().any(|body| body == source.path));
    declaration.sources.files.extend(bodies.cloned());
    declaration.sources.files.sort();
    declaration.sources.files.dedup();
    Ok(Reading { declaration, read: Some(read), locked: Some((*first, nodes)) })
}

/// What the lock knows of the files that are not read.
fn known<'a>(lock: &'a Lock, nodes: &'a [Locked], read: &BTreeSet<String>) -> Known<'a> {
    let files = lock.files().map(|(path, _)| path).filter(|path| !read.contains(*path)).collect();
    let unread = |l: &&Locked| !l.source.is_empty() && !read.contains(&*l.source);
    let nodes: Vec<&Node> = nodes.iter().filter(unread).map(|l| &l.node).collect();
    Known { files, nodes }
}

impl Reading {
    /// What has to be compiled for these majors. With `adopted_too`, also what was adopted from a database and never
    /// compiled. What others own is as in `stubs`: if that has changed, everything is.
    pub fn increments(
        &mut self,
        lock: Option<&Lock>,
        majors: &[u32],
        stubs: &Stubs,
        adopted_too: bool,
    ) -> Result<BTreeMap<u32, Increment>> {
        let same = |lock: &&Lock| {
            let header = &lock.header;
            header.settings.stubs == *stubs && header.external == self.declaration.basis.external && lock.is_one()
        };
        let lock = lock.filter(same);
        // What is in no file rests on the settings.
        let read = |source: &str| source.is_empty() || self.read.as_ref().is_none_or(|read| read.contains(source));
        let mut increments = BTreeMap::new();
        for major in majors {
            let held = lock.filter(|lock| lock.header.majors.contains(major));
            let nodes = match self.locked.take_if(|(of, _)| held.is_some() && of == major) {
                Some((_, nodes)) => nodes,
                None => held.map(|lock| lock.locked(*major)).transpose()?.unwrap_or_default(),
            };
            let before = Before {
                nodes,
                read: &read,
                moved: held.map(Lock::moved).unwrap_or_default(),
                adopted_too: adopted_too && lock.is_some_and(|lock| lock.header.adopted),
            };
            increments.insert(*major, increment(&self.declaration, before));
        }
        Ok(increments)
    }

    /// Whether all files were read.
    pub fn is_whole(&self) -> bool {
        self.read.is_none()
    }
}
