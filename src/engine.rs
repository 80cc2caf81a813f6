//! What the commands have in common: the desired model from the lock or from scratch, the actual one from
//! a target, and their comparison.

mod compiling;
mod writing;

pub use crate::catalog::Live;
pub use compiling::compile;
pub use writing::Writing;

use crate::catalog::{self, connect::Target, Depth, Loaded, Names, Session, Surroundings, Wanted};
use crate::compile::lock::{self, Header, Lock, LockedSettings};
use crate::compile::{self, Place};
use crate::diff;
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
    /// What becomes of the lock file.
    pub lock: Writing,
    /// Whether the model's nodes know what they need.
    pub deep: bool,
}

impl Desired {
    /// Whether that is what is live, as far as can be told without scratch.
    pub fn is_live(&self, live: &Live) -> bool {
        !diff::differ(&live.model, &self.model)
    }
}

/// The desired model for a server major, with what its nodes need: from a fresh lock, or compiled in scratch as far as
/// it is stale.
pub async fn desired(choices: &Choices<'_>, major: u32) -> Result<Desired> {
    Looked::at(choices, major)?.desired(choices, major).await
}

/// The desired model and the live one. With `deep`, with all that plans need. The transaction stays open.
///
/// The target is read while the lock is, or is brought up to date: by what it says is owned. Where something else proves to
/// be, it is read again.
pub async fn both(choices: &Choices<'_>, session: &Arc<Session>, deep: bool) -> Result<(Desired, Live)> {
    let Some(Header { settings: owned, .. }) = lock::header(&lock::path_of(&choices.declaration)) else {
        let desired = Box::pin(desired(choices, session.major)).await?;
        return Box::pin(beside(session, desired, None, deep)).await;
    };
    let ahead = Ahead::start(session, &owned);
    let (desired, loaded) = match Looked::at(choices, session.major)? {
        Looked::Fresh(lock) if !deep && lock.header.settings == owned => {
            let loaded = ahead.finish().await?;
            let model = lock.beside(&loaded.model, session.major)?;
            (Desired { model, settings: owned.clone(), lock: Writing::default(), deep }, Ok(loaded))
        }
        looked => {
            let desired = Box::pin(looked.desired(choices, session.major)).await?;
            (desired, ahead.finish().await)
        }
    };
    let LockedSettings { schemas, ignore, .. } = &desired.settings;
    let loaded = if owned.schemas == *schemas && owned.ignore == *ignore {
        Some(loaded?)
    } else {
        session.release().await?;
        None
    };
    Box::pin(beside(session, desired, loaded, deep)).await
}

/// A desired model and the live one: what was loaded of it without reference rows, or is now, with these, and with `deep`
/// with what plans need.
async fn beside(session: &Session, desired: Desired, loaded: Option<Loaded>, deep: bool) -> Result<(Desired, Live)> {
    let wanted = wanted(&desired);
    let mut loaded = match loaded {
        Some(loaded) => loaded,
        None => catalog::load(session, &Wanted { rows: Vec::new(), ..wanted.clone() }, Depth::Model).await?,
    };
    loaded.keep_extensions(wanted.extensions.as_deref());
    let (mut unmanaged, mut surroundings) = Default::default();
    if deep {
        unmanaged = catalog::dependencies_around(session, &mut loaded, &desired.model, &wanted.schemas).await?;
        surroundings = Surroundings::read(session, &loaded).await?;
    }
    loaded.read_rows(session, &wanted.rows).await?;
    Ok((desired, Live { unmanaged, surroundings, ..loaded.into() }))
}

/// A target that is read while something else is done. Nothing is kept locked there for longer than that takes: if the
/// reading is done first, its transaction ends, and the one that is open in the end has another snapshot.
struct Ahead<'a> {
    session: &'a Arc<Session>,
    /// What is in the set ends with it.
    reading: JoinSet<Result<(Result<Loaded>, bool)>>,
    tell: oneshot::Sender<()>,
}

impl<'a> Ahead<'a> {
    fn start(session: &'a Arc<Session>, owned: &LockedSettings) -> Self {
        let (tell, mut known) = oneshot::channel();
        let mut reading = JoinSet::new();
        // Rows and extensions are known with the whole lock only.
        let (by, all) = (session.clone(), Wanted { extensions: None, ..wanted_of(&[], owned) });
        reading.spawn(async move {
            let loaded = Box::pin(catalog::load(&by, &all, Depth::Model)).await;
            let is_open = known.try_recv().is_ok();
            if !is_open {
                by.release().await?;
            }
            Ok::<_, Error>((loaded, is_open))
        });
        Self { session, reading, tell }
    }

    /// What was read, with a transaction that is open.
    async fn finish(self) -> Result<Loaded> {
        let Self { session, mut reading, tell } = self;
        let _ = tell.send(());
        let read = reading.join_next().await.and_then(std::result::Result::ok);
        let (loaded, is_open) = read.ok_or_else(|| Error::new("reading the catalog failed"))??;
        let loaded = loaded?;
        if !is_open {
            session.snapshot().await?;
        }
        Ok(loaded)
    }
}

/// What a look at the lock showed.
enum Looked {
    /// It is all that is needed.
    Fresh(Lock),
    /// It is not, or does not hold the major; None if there is none that can be used.
    Stale(Option<Lock>),
}

impl Looked {
    /// The desired model, with what its nodes need.
    async fn desired(self, choices: &Choices<'_>, major: u32) -> Result<Desired> {
        match self {
            Self::Fresh(lock) => {
                let (model, settings) = (lock.model(major)?, lock.header.settings.clone());
                Ok(Desired { model, settings, lock: Writing::default(), deep: true })
            }
            Self::Stale(lock) => {
                // To read what is large takes as long as to start a server.
                if lock.as_ref().is_some_and(Lock::is_large) {
                    choices.scratch.warm(major);
                }
                // It is large: not on the stack of whoever waits for it.
                Box::pin(compiling::renew(choices, lock, &[major], false)).await
            }
        }
    }

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

/// Reads a target with all that hangs together there, sizes and default privileges.
/// The transaction stays open: the session's owner releases it.
pub async fn live(session: &Session, wanted: &Wanted) -> Result<Live> {
    let mut loaded = catalog::load(session, wanted, Depth::Links).await?;
    let names = Names { schemas: &wanted.schemas, named: None };
    let unmanaged = catalog::dependencies(session, &mut loaded, names).await?;
    let surroundings = Surroundings::read(session, &loaded).await?;
    Ok(Live { unmanaged, surroundings, ..loaded.into() })
}

/// Connects to a target.
pub async fn open(target: &Target) -> Result<Session> {
    Session::open(target).await
}
