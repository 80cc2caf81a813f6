//! What the commands have in common: the desired model from the lock or from scratch, the actual one from
//! a target, and their comparison.

pub use crate::catalog::Live;
use crate::catalog::{self, connect::Target, Session, Surroundings, Unmanaged, Wanted};
use crate::compile::lock::{self, Lock, LockedSettings};
use crate::compile::{self, Place, Scratch};
use crate::declare::{self, files, Declaration, Source, Sources};
use crate::error::{Error, Result};
use crate::model::{Model, Node};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a user chose for a run.
pub struct Choices<'a> {
    /// The declaration: a file or a directory.
    pub declaration: PathBuf,
    pub scratch: Place,
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

/// The sources of a declaration, bodies that the lock knows of included, without parsing anything.
fn sources(path: &Path, lock: &Lock) -> Result<Sources> {
    let (root, paths) = files::list(path)?;
    let mut all = Sources { root: root.clone(), files: Vec::new() };
    let bodies = lock.bodies().map(|b| root.join(b)).filter(|p| p.exists());
    for file in paths.into_iter().chain(bodies) {
        let bytes = std::fs::read(&file).map_err(|e| Error::new(format!("cannot read {}: {e}", file.display())))?;
        let name = file.strip_prefix(&root).unwrap_or(&file).components();
        let path = name.map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        all.files.push(Source { path, digest: files::digest(&bytes) });
    }
    all.files.sort();
    all.files.dedup();
    Ok(all)
}

/// The desired model for a server major: from a fresh lock, or compiled in scratch.
pub async fn desired(choices: &Choices<'_>, major: u32) -> Result<Desired> {
    match fresh_lock(choices, major)? {
        Some(lock) => from_lock(&lock, major, true),
        None => compile(choices, &[major]).await,
    }
}

/// The desired model and the live one, for a comparison without dependencies. A fresh lock is read while
/// the server prints. The transaction stays open.
pub async fn both(choices: &Choices<'_>, session: &Session) -> Result<(Desired, Live)> {
    let major = session.major;
    let Some(lock) = fresh_lock(choices, major)? else {
        let desired = compile(choices, &[major]).await?;
        let live = live(session, &wanted(&desired), false).await?;
        return Ok((desired, live));
    };
    let wanted = wanted_of(&lock.some(major, &["/row ", "extension "])?, &lock.header.settings);
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
    if let Some(lock) = Lock::read(&path)? {
        let stale = lock.stale(&sources(&choices.declaration, &lock)?);
        if stale.is_empty() && lock.header.majors.contains(&major) {
            return Ok(Some(lock));
        }
        if choices.locked {
            let why = if stale.is_empty() {
                format!("it does not hold PostgreSQL {major}")
            } else {
                format!("changed since: {}", stale.join(", "))
            };
            return Err(Error::new(format!("{} is stale: {why}", path.display()))
                .with_hint("run `pgplumb compile` and commit the lock"));
        }
    } else if choices.locked {
        return Err(Error::new(format!("there is no {}", path.display()))
            .with_hint("run `pgplumb compile` and commit the lock"));
    }
    Ok(None)
}

/// Compiles the declaration for majors and writes the lock; the model of the first is returned. Majors that
/// a fresh lock holds already are kept.
pub async fn compile(choices: &Choices<'_>, majors: &[u32]) -> Result<Desired> {
    let declaration = declare::read(&choices.declaration)?;
    let path = lock::path_of(&choices.declaration);
    let mut models: BTreeMap<u32, Model> = BTreeMap::new();
    // A lock that cannot be read is replaced.
    if let Ok(Some(old)) = Lock::read(&path) {
        if old.stale(&declaration.sources).is_empty() {
            for major in old.header.majors.iter().filter(|m| !majors.contains(m)) {
                models.insert(*major, old.model(*major, true)?);
            }
        }
    }
    for major in majors {
        models.insert(*major, compile_one(&declaration, choices, *major).await?);
    }
    let settings = LockedSettings {
        schemas: declaration.settings.schemas.clone(),
        ignore: declaration.settings.ignore.clone(),
        tenancy: declaration.settings.tenancy.clone(),
    };
    let text = lock::write(&models, &declaration.sources, settings.clone())?;
    let wrote_lock = match lock::store(&path, &text) {
        Ok(()) => true,
        Err(error) => {
            (choices.progress)(&format!("note: {error}"));
            false
        }
    };
    let first = majors.first().and_then(|m| models.remove(m));
    let model = first.ok_or_else(|| Error::new("no server major was named"))?;
    Ok(Desired { model, settings, wrote_lock, deep: true })
}

async fn compile_one(declaration: &Declaration, choices: &Choices<'_>, major: u32) -> Result<Model> {
    if declaration.settings.postgres > major {
        let message =
            format!("the declaration says `postgres: {}`, the server is {major}", declaration.settings.postgres);
        return Err(Error::new(message).with_hint("lower `postgres` in the declaration, or use a newer server"));
    }
    let extensions: Vec<String> = declaration
        .drafts
        .iter()
        .filter(|d| d.node.address.kind() == "extension")
        .map(|d| d.node.address.name().to_owned())
        .collect();
    let mut scratch = Scratch::open(&choices.scratch, major, &extensions, choices.env).await?;
    (choices.progress)(&format!("compiling for PostgreSQL {major} on {}", scratch.words));
    let compiled = compile::compile(declaration, &mut scratch, choices.progress).await;
    let closed = scratch.close().await;
    let model = compiled?;
    closed?;
    Ok(model)
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
    let unmodelled = catalog::unmodelled(session, &wanted.schemas).await?;
    let (unmanaged, surroundings) = if deep {
        (catalog::dependencies(session, &mut loaded).await?, Surroundings::read(session, &loaded).await?)
    } else {
        (Unmanaged::default(), Surroundings::default())
    };
    let catalog::Loaded { model, unchecked, foreign_grants, astray, .. } = loaded;
    Ok(Live { model, unmanaged, surroundings, unmodelled, unchecked, foreign_grants, astray })
}

/// Connects to a target.
pub async fn open(target: &Target) -> Result<Session> {
    Session::open(target).await
}
