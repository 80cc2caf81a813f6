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
use std::path::{Path, PathBuf};

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
    match Looked::at(&choices.declaration, choices.locked, major)?.told(choices) {
        Some(lock) => from_lock(&lock, major, true),
        None => compile(choices, &[major], false).await,
    }
}

/// The desired model and the live one, for a comparison without dependencies. The lock is read while the server prints.
/// The transaction stays open.
pub async fn both(choices: &Choices<'_>, session: &Session) -> Result<(Desired, Live)> {
    let major = session.major;
    if let Some(settings) = lock::settings(&lock::path_of(&choices.declaration)) {
        match from_fresh_lock(choices, session, settings).await {
            Err(Halt::Failed(error)) => return Err(error),
            Err(Halt::Stale) => session.release().await?,
            Ok(both) => return Ok(both),
        }
    }
    let desired = desired(choices, major).await?;
    let live = live(session, &wanted(&desired), false).await?;
    Ok((desired, live))
}

/// Why two models are not known yet.
enum Halt {
    /// The lock is not fresh: what was read may not be what is wanted.
    Stale,
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Both models, by the settings that the lock has; where it proves stale, reading ends.
async fn from_fresh_lock(
    choices: &Choices<'_>,
    session: &Session,
    settings: LockedSettings,
) -> std::result::Result<(Desired, Live), Halt> {
    let (declaration, locked, major) = (choices.declaration.clone(), choices.locked, session.major);
    let reading = tokio::task::spawn_blocking(move || -> std::result::Result<(Desired, Wanted), Halt> {
        let lock = Looked::at(&declaration, locked, major)?.lock.ok_or(Halt::Stale)?;
        let desired = from_lock(&lock, major, false)?;
        let wanted = wanted(&desired);
        Ok((desired, wanted))
    });
    let desired = async { reading.await.map_err(|e| Error::new(format!("reading the lock failed: {e}")))? };
    // Rows and extensions are known with the whole lock only.
    let all = wanted_of(&[], &settings);
    let loading = async { Ok(catalog::load(session, &Wanted { extensions: None, ..all }).await?) };
    let ((desired, wanted), mut loaded) = tokio::try_join!(desired, loading)?;
    loaded.keep_extensions(wanted.extensions.as_deref());
    loaded.read_rows(session, &wanted.rows).await?;
    Ok((desired, loaded.into()))
}

fn from_lock(lock: &Lock, major: u32, deep: bool) -> Result<Desired> {
    Ok(Desired { model: lock.model(major, deep)?, settings: lock.header.settings.clone(), wrote_lock: false, deep })
}

/// What a look at the lock showed.
struct Looked {
    /// The lock, if it is fresh and holds the major.
    lock: Option<Lock>,
    /// Why a lock that is there cannot be used at all, for people.
    note: Option<String>,
}

impl Looked {
    /// Errors: a lock that will not do, where only a lock will.
    fn at(declaration: &Path, locked: bool, major: u32) -> Result<Self> {
        let path = lock::path_of(declaration);
        let hinted = |why: String| Error::new(why).with_hint("run `pgplumb compile` and commit the lock");
        let stale = |why: String| hinted(format!("{} is stale: {why}", path.display()));
        let lock = match Lock::read(&path) {
            Ok(lock) => lock,
            Err(error) if locked => return Err(error),
            // It is written anew.
            Err(error) => return Ok(Self { lock: None, note: Some(format!("note: {error}")) }),
        };
        let Some(lock) = lock else {
            return if locked {
                Err(hinted(format!("there is no {}", path.display())))
            } else {
                Ok(Self { lock: None, note: None })
            };
        };
        let changed = lock.stale(&compile::sources(declaration, &lock)?);
        match (locked, changed.is_empty(), lock.header.majors.contains(&major)) {
            (_, true, true) => Ok(Self { lock: Some(lock), note: None }),
            (false, ..) => Ok(Self { lock: None, note: None }),
            (true, true, false) => Err(stale(format!("it does not hold PostgreSQL {major}"))),
            (true, false, _) => Err(stale(format!("changed since: {}", changed.join(", ")))),
        }
    }

    /// The lock, once its note was told.
    fn told(self, choices: &Choices<'_>) -> Option<Lock> {
        self.note.into_iter().for_each(|note| (choices.progress)(&note));
        self.lock
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
    Ok(Live { unmanaged, surroundings, ..loaded.into() })
}

/// Connects to a target.
pub async fn open(target: &Target) -> Result<Session> {
    Session::open(target).await
}
