//! What the commands have in common: the desired model from the lock or from scratch, the actual one from
//! a target, and their comparison.

mod compiling;

pub use crate::catalog::Live;
pub use compiling::compile;

use crate::catalog::{self, connect::Target, Depth, Loaded, Session, Surroundings, Unmanaged, Wanted};
use crate::compile::lock::{self, Lock, LockedSettings};
use crate::compile::{self, Place};
use crate::error::{Error, Result};
use crate::model::{Model, Node};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

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

/// The desired model for a server major: from a fresh lock, or compiled in scratch as far as it is stale. With `deep`, its
/// nodes know what they need.
pub async fn desired(choices: &Choices<'_>, major: u32, deep: bool) -> Result<Desired> {
    match Looked::at(choices, major)? {
        Looked::Fresh(lock) => from_lock(&lock, major, deep),
        Looked::Stale(lock) => {
            // To read what is large takes as long as to start a server.
            if lock.as_ref().is_some_and(Lock::is_large) {
                choices.scratch.warm(major);
            }
            // It is large: not on the stack of whoever waits for it.
            Box::pin(compiling::renew(choices, lock, &[major], false)).await
        }
    }
}

/// The desired model and the live one. With `deep`, with all that plans need. The transaction stays open.
///
/// The target is read while the lock is, or is brought up to date: by what it says is owned. Where something else proves to
/// be, it is read again. Nothing is kept locked there while scratch is at work: if that takes longer than reading, the
/// transaction ends with the reading, and the one that stays open has another snapshot.
pub async fn both(choices: &Choices<'_>, session: &Arc<Session>, deep: bool) -> Result<(Desired, Live)> {
    let Some(owned) = lock::settings(&lock::path_of(&choices.declaration)) else {
        let desired = Box::pin(desired(choices, session.major, deep)).await?;
        let live = Box::pin(live(session, &wanted(&desired), deep)).await?;
        return Ok((desired, live));
    };
    let (tell, mut known) = oneshot::channel();
    // What is in the set ends with it.
    let mut reading = JoinSet::new();
    // Rows and extensions are known with the whole lock only.
    let (by, all) = (session.clone(), Wanted { extensions: None, ..wanted_of(&[], &owned) });
    reading.spawn(async move {
        let read = Box::pin(read(&by, &all, deep)).await;
        let is_open = known.try_recv().is_ok();
        if !is_open {
            by.release().await?;
        }
        Ok::<_, Error>((read, is_open))
    });
    let desired = Box::pin(desired(choices, session.major, deep)).await?;
    let _ = tell.send(());
    let wanted = wanted(&desired);
    let read = reading.join_next().await.and_then(std::result::Result::ok);
    let (read, is_open) = read.ok_or_else(|| Error::new("reading the catalog failed"))??;
    if owned.schemas != wanted.schemas || owned.ignore != wanted.ignore {
        if is_open {
            session.release().await?;
        }
        let live = Box::pin(live(session, &wanted, deep)).await?;
        return Ok((desired, live));
    }
    let mut read = read?;
    if !is_open {
        session.snapshot().await?;
    }
    read.loaded.keep_extensions(wanted.extensions.as_deref());
    read.loaded.read_rows(session, &wanted.rows).await?;
    Ok((desired, read.into()))
}

fn from_lock(lock: &Lock, major: u32, deep: bool) -> Result<Desired> {
    Ok(Desired { model: lock.model(major, deep)?, settings: lock.header.settings.clone(), wrote_lock: false, deep })
}

/// What a look at the lock showed.
enum Looked {
    /// It is all that is needed.
    Fresh(Lock),
    /// It is not, or does not hold the major; None if there is none that can be used.
    Stale(Option<Lock>),
}

impl Looked {
    /// Errors: a lock that will not do, where only a lock will.
    fn at(choices: &Choices<'_>, major: u32) -> Result<Self> {
        let (path, locked) = (lock::path_of(&choices.declaration), choices.locked);
        let hinted = |why: String| Error::new(why).with_hint("run `pgplumb compile` and commit the lock");
        let stale = |why: String| hinted(format!("{} is stale: {why}", path.display()));
        let lock = match Lock::read(&path) {
            Ok(lock) => lock,
            Err(error) if locked => return Err(error),
            // It is written anew.
            Err(error) => {
                (choices.progress)(&format!("note: {error}"));
                return Ok(Self::Stale(None));
            }
        };
        let Some(lock) = lock else {
            return if locked { Err(hinted(format!("there is no {}", path.display()))) } else { Ok(Self::Stale(None)) };
        };
        let changed = lock.stale(&compile::sources(&choices.declaration, &lock)?);
        match (locked, changed.is_empty(), lock.header.majors.contains(&major)) {
            (_, true, true) => Ok(Self::Fresh(lock)),
            (false, ..) => Ok(Self::Stale(Some(lock))),
            (true, true, false) => Err(stale(format!("it does not hold PostgreSQL {major}"))),
            (true, false, _) => Err(stale(format!("changed since: {}", changed.join(", ")))),
        }
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

/// What was read of a target.
struct Read {
    loaded: Loaded,
    unmanaged: Unmanaged,
    surroundings: Surroundings,
}

impl From<Read> for Live {
    fn from(read: Read) -> Self {
        let Read { loaded, unmanaged, surroundings } = read;
        Self { unmanaged, surroundings, ..loaded.into() }
    }
}

/// Reads a target. With `deep`, also what plans need: dependencies, sizes, default privileges.
/// The transaction stays open: the session's owner releases it.
pub async fn live(session: &Session, wanted: &Wanted, deep: bool) -> Result<Live> {
    Ok(read(session, wanted, deep).await?.into())
}

async fn read(session: &Session, wanted: &Wanted, deep: bool) -> Result<Read> {
    let depth = if deep { Depth::Links } else { Depth::Model };
    let mut loaded = catalog::load(session, wanted, depth).await?;
    let (unmanaged, surroundings) = if deep {
        (
            catalog::dependencies(session, &mut loaded, &wanted.schemas).await?,
            Surroundings::read(session, &loaded).await?,
        )
    } else {
        (Unmanaged::default(), Surroundings::default())
    };
    Ok(Read { loaded, unmanaged, surroundings })
}

/// Connects to a target.
pub async fn open(target: &Target) -> Result<Session> {
    Session::open(target).await
}
