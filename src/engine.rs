//! What the commands have in common: the desired model from the lock or from scratch, the actual one from
//! a target, and their comparison.

mod compiling;

pub use crate::catalog::Live;
pub use compiling::compile;

use crate::catalog::{self, connect::Target, Session, Surroundings, Unmanaged, Wanted};
use crate::compile::lock::{self, Lock, LockedSettings};
use crate::compile::{self, Place};
use crate::error::{Error, Result};
use crate::model::{Model, Node};
use std::path::PathBuf;

/// What a user chose for a run.
pub struct Choices<'a> {
    /// The declaration: a file or a directory.
    pub declaration: PathBuf,
    pub scratch: Place,
    /// The database that the run is about, which knows what the declaration does not own.
    pub target: Option<&'a Target>,
    /// Fail rather than compile when the lock is stale.
    pub locked: bool,
    /// The environment, for connections.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Is told what is being done.
    pub progress: &'a dyn Fn(&str),
}

/// The desired model and the settings it came with.
pub struct Desired {
    pub model: Model,
    pub settings: LockedSettings,
    /// Whether the lock file was written anew.
    pub wrote_lock: bool,
    /// Whether the model's nodes know what they need.
    pub deep: bool,
}

/// The desired model for a server major: from a fresh lock, or compiled in scratch as far as it is stale.
pub async fn desired(choices: &Choices<'_>, major: u32) -> Result<Desired> {
    match fresh_lock(choices, major)? {
        Some(lock) => from_lock(&lock, major, true),
        None => compile(choices, &[major], false).await,
    }
}

/// The desired model and the live one, for a comparison without dependencies. A fresh lock is read while
/// the server prints. The transaction stays open.
pub async fn both(choices: &Choices<'_>, session: &Session) -> Result<(Desired, Live)> {
    let major = session.major;
    let Some(lock) = fresh_lock(choices, major)? else {
        let desired = compile(choices, &[major], false).await?;
        let live = live(session, &wanted(&desired), false).await?;
        return Ok((desired, live));
    };
    let wanted = wanted_of(&lock.of_kinds(major, &["row", "extension"])?, &lock.header.settings);
    let reading = tokio::task::spawn_blocking(move || from_lock(&lock, major, false));
    let live = live(session, &wanted, false).await?;
    let desired = reading.await.map_err(|e| Error::new(format!("reading the lock failed: {e}")))??;
    Ok((desired, live))
}

fn from_lock(lock: &Lock, major: u32, deep: bool) -> Result<Desired> {
    Ok(Desired { model: lock.model(major, deep)?, settings: lock.header.settings.clone(), wrote_lock: false, deep })
}

/// The lock, if it is fresh and holds the major; else None, or an error where only a lock will do.
fn fresh_lock(choices: &Choices<'_>, major: u32) -> Result<Option<Lock>> {
    let path = lock::path_of(&choices.declaration);
    let stale = |why: String| {
        Err(Error::new(format!("{} is stale: {why}", path.display()))
            .with_hint("run `pgplumb compile` and commit the lock"))
    };
    let lock = match Lock::read(&path) {
        Ok(lock) => lock,
        Err(error) if choices.locked => return Err(error),
        // It is written anew.
        Err(error) => {
            (choices.progress)(&format!("note: {error}"));
            return Ok(None);
        }
    };
    match lock {
        Some(lock) => {
            let changed = lock.stale(&compile::sources(&choices.declaration, &lock)?);
            if changed.is_empty() && lock.header.majors.contains(&major) {
                return Ok(Some(lock));
            }
            match (choices.locked, changed.is_empty()) {
                (false, _) => Ok(None),
                (true, true) => stale(format!("it does not hold PostgreSQL {major}")),
                (true, false) => stale(format!("changed since: {}", changed.join(", "))),
            }
        }
        None if choices.locked => Err(Error::new(format!("there is no {}", path.display()))
            .with_hint("run `pgplumb compile` and commit the lock")),
        None => Ok(None),
    }
}

/// What to read of a target for a comparison with a desired model.
pub fn wanted(desired: &Desired) -> Wanted {
    let of = |n: &&Node| matches!(n.address.kind(), "row" | "extension");
    let nodes: Vec<Node> = desired.model.nodes().iter().filter(of).cloned().collect();
    wanted_of(&nodes, &desired.settings)
}

fn wanted_of(nodes: &[Node], settings: &LockedSettings) -> Wanted {
    let of = |kind: &'static str| nodes.iter().filter(move |n| n.address.kind() == kind);
    Wanted {
        schemas: settings.schemas.clone(),
        ignore: settings.ignore.clone(),
        rows: of("row").cloned().collect(),
        extensions: Some(of("extension").map(|n| n.address.name().to_owned()).collect()),
    }
}

/// Reads a target. With `deep`, also what plans need: dependencies, sizes, default privileges.
/// The transaction stays open: the session's owner releases it.
pub async fn live(session: &Session, wanted: &Wanted, deep: bool) -> Result<Live> {
    let mut loaded = catalog::load(session, wanted).await?;
    let (unmanaged, surroundings) = if deep {
        (
            catalog::dependencies(session, &mut loaded, &wanted.schemas).await?,
            Surroundings::read(session, &loaded).await?,
        )
    } else {
        (Unmanaged::default(), Surroundings::default())
    };
    let catalog::Loaded { model, unchecked, foreign_grants, unmodelled, astray, .. } = loaded;
    Ok(Live { model, unmanaged, surroundings, unmodelled, unchecked, foreign_grants, astray })
}

/// Connects to a target.
pub async fn open(target: &Target) -> Result<Session> {
    Session::open(target).await
}
