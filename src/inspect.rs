//! From a live database to a declaration: what `inspect` prints and `init` adopts.

use crate::catalog::{self, Session, Wanted};
use crate::compile::lock::{self, Locked, LockedSettings};
use crate::compile::surroundings::{self, Stubs};
use crate::declare::write::{as_declared, document, Document, File, SCHEMA_FILE};
use crate::declare::{files::digest, json_schema, Basis, Source, Sources};
use crate::error::{Error, Result};
use crate::kinds;
use crate::model::{Address, Model, Node};
use crate::yaml::{self, Yaml};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// A database as read.
pub struct Inspection {
    pub model: Model,
    pub major: u32,
    pub schemas: Vec<String>,
    /// What no declaration can hold, in words.
    pub notes: Vec<String>,
    /// What of that has a name, as patterns: what refers to it finds it by being left alone.
    pub ignore: Vec<String>,
    /// Whether its declaration may refer to anything that it does not own.
    surrounded: bool,
}

/// The schemas that somebody made, `public` first, and not the journal's: the system's own and those of
/// extensions are left out.
const SCHEMAS: &str = "\
select n.nspname::text from pg_namespace n
where n.nspname <> 'information_schema' and n.nspname !~ '^pg_' and n.nspname <> 'pgplumb'
  and not exists (select from pg_depend d where d.classid = 'pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e')
order by n.nspname <> 'public', n.nspname::text collate \"C\"";

/// Reads the schemas, all that there are if none is named.
///
/// # Errors
/// A named schema is not there; what the server says.
pub async fn read(session: &Session, named: &[String]) -> Result<Inspection> {
    let rows = session.client.query(SCHEMAS, &[]).await?;
    let there: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<std::result::Result<_, _>>()?;
    if let Some(missing) = named.iter().find(|name| !there.contains(name)) {
        return Err(Error::new(format!("there is no schema `{missing}` that a declaration could own"))
            .with_hint(format!("there are: {}", there.join(", "))));
    }
    let mut schemas = if named.is_empty() { there.clone() } else { named.to_vec() };
    let mut seen = std::collections::HashSet::new();
    schemas.retain(|schema| seen.insert(schema.clone()));
    let wanted = Wanted { schemas: schemas.clone(), ..Wanted::default() };
    let mut loaded = catalog::load(session, &wanted, catalog::Depth::Links).await?;
    let names = catalog::Names { schemas: &schemas, named: None };
    let unmanaged = catalog::dependencies(session, &mut loaded, names).await?;
    session.release().await?;
    let mut notes: Vec<String> = loaded.unmodelled.iter().map(|thing| thing.what.clone()).collect();
    let foreign = loaded.foreign_grants.iter();
    notes.extend(
        foreign.map(|(address, grant)| {
            format!("grant {} on {address}, made by another role than its owner", grant.printed)
        }),
    );
    notes.extend(loaded.unchecked.iter().cloned());
    let states = loaded.model.nodes().iter().filter_map(|node| {
        let (_, words) = kinds::kind_of(&node.address).declarable(node)?;
        Some(format!("{}: it {words}", node.address))
    });
    notes.extend(states);
    let patterns: BTreeSet<String> = unmanaged.names.into_values().filter_map(|holder| holder.pattern).collect();
    let unmanaged = !patterns.is_empty() || !loaded.unread.is_empty();
    // An extension may own anything.
    let extended = !loaded.model.roots_of("extension").is_empty();
    let surrounded = unmanaged || extended || there.iter().any(|schema| !schemas.contains(schema));
    // What has the name of something that is managed cannot be left alone by it.
    let managed: HashSet<String> = loaded.model.nodes().iter().filter_map(|node| as_pattern(&node.address)).collect();
    let patterns = patterns.into_iter().filter(|pattern| !managed.contains(pattern));
    let ignore = patterns.collect();
    Ok(Inspection { model: loaded.model, major: session.major, schemas, notes, ignore, surrounded })
}

/// How a pattern would name something in a schema.
fn as_pattern(address: &Address) -> Option<String> {
    (address.depth() == 2).then(|| {
        let name = kinds::routine::bare_name(address).unwrap_or_else(|| address.name().to_owned());
        format!("{}.{name}", address.schema())
    })
}

impl Inspection {
    /// The declaration. With `all_grants`, nobody gets a privilege unseen: what is the default is declared too.
    pub fn document(&self, all_grants: bool) -> Document {
        document(&self.model, self.major, &self.schemas, &self.ignore, &self.notes, all_grants)
    }

    /// Writes the declaration in these files with its lock into a directory. Returns why it cannot be compiled without
    /// this database, if that is so: something in it that nothing can stand in for.
    ///
    /// # Errors
    /// Something cannot be written; with `force`, what is there is written over.
    pub async fn adopt(
        self,
        session: &Session,
        directory: &Path,
        files: &[File],
        force: bool,
    ) -> Result<Option<Error>> {
        let mut lacking = None;
        let lock = if self.surrounded {
            store(directory, files, force)?;
            let stubs = surroundings_of(session, directory).await;
            self.lock(
                directory,
                files,
                stubs.unwrap_or_else(|error| {
                    lacking = Some(error);
                    Stubs::default()
                }),
            )
        } else {
            // There may be thousands of files.
            std::thread::scope(|scope| {
                let stored = scope.spawn(|| store(directory, files, force));
                let lock = self.lock(directory, files, Stubs::default());
                stored.join().unwrap_or_else(|_| Err(Error::new("writing the declaration stopped")))?;
                lock
            })
        };
        lock::store(&lock::path_of(directory), &lock?)?;
        Ok(lacking)
    }

    /// The lock of the declaration in these files. What the server printed is what it compiles to, as far as
    /// prints feed back unchanged; `compile` finds out.
    fn lock(self, root: &Path, files: &[File], stubs: Stubs) -> Result<String> {
        let major = self.major;
        let source = |file: &File| Source { path: file.path.clone(), digest: digest(file.text.as_bytes()) };
        let mut sources = Sources { root: root.to_path_buf(), files: files.iter().map(source).collect() };
        sources.files.sort();
        let things = files.iter().flat_map(|file| file.things.iter().map(|thing| (thing, file.path.as_str())));
        let homes: HashMap<&Address, &str> = things.collect();
        let locked = |node: Node| {
            let node = as_declared(node, major.max(17));
            let home = homes.get(&node.address.thing()).copied().unwrap_or_default();
            Locked { node, source: home.into(), written: None, alias: None, reads: Vec::new(), line: None }
        };
        let nodes = self.model.into_nodes().into_iter().map(locked).collect();
        let origin = lock::Origin {
            sources: &sources,
            basis: &basis(files, root),
            settings: LockedSettings { schemas: self.schemas, ignore: self.ignore, stubs, ..LockedSettings::default() },
            adopted: true,
            before: None,
        };
        lock::write(&BTreeMap::from([(major, nodes)]), &origin)
    }
}

/// What the declaration in a directory refers to and does not own.
async fn surroundings_of(session: &Session, directory: &Path) -> Result<Stubs> {
    surroundings::complete(&mut crate::declare::read(directory)?, Some(session), None).await
}

/// The settings, as a reader of these files will find them.
fn basis(files: &[File], root: &Path) -> Basis {
    let read = |file: &File| yaml::read(&Arc::new(root.join(&file.path)), file.text.as_bytes(), &mut Vec::new());
    // The first holds them all.
    let trees: Vec<Yaml> = files.first().and_then(read).into_iter().collect();
    Basis::of(&trees, root)
}

/// Writes the files of a declaration into a directory, with the JSON Schema that editors need.
///
/// # Errors
/// The directory holds something, unless `force` says to write there.
pub fn store(directory: &Path, files: &[File], force: bool) -> Result<()> {
    if !force {
        refuse_taken(directory)?;
    }
    let mut made = std::collections::HashSet::new();
    for file in files {
        let path = directory.join(&file.path);
        if let Some(parent) = path.parent().filter(|parent| made.insert(parent.to_path_buf())) {
            make(parent)?;
        }
        lock::store(&path, &file.text)?;
    }
    store_json_schema(directory)
}

/// Writes the JSON Schema into the directory of a declaration.
pub fn store_json_schema(directory: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(&json_schema()).unwrap_or_default();
    lock::store(&directory.join(SCHEMA_FILE), &format!("{text}\n"))
}

/// Makes a directory with all that are above it.
pub fn make(directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory).map_err(|e| Error::new(format!("cannot make {}: {e}", directory.display())))
}

/// Refuses to write where something is already.
///
/// # Errors
/// A file, or a directory that is not empty.
pub fn refuse_taken(path: &Path) -> Result<()> {
    let taken = match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => std::fs::symlink_metadata(path).is_ok(),
    };
    if !taken {
        return Ok(());
    }
    let what = if path.is_dir() { "is not empty" } else { "is there already" };
    Err(Error::new(format!("{} {what}", path.display()))
        .with_hint("name another place, or say --force to write over what is there"))
}

/// The YAML files below a directory that are not among these: with `--force`, what an earlier run left.
pub fn left_over(directory: &Path, files: &[File]) -> Vec<String> {
    let Ok((root, found)) = crate::declare::files::list(directory) else { return Vec::new() };
    let relative = |path: &std::path::PathBuf| {
        let below = path.strip_prefix(&root).unwrap_or(path).components();
        below.map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
    };
    let written: std::collections::HashSet<&str> = files.iter().map(|f| f.path.as_str()).collect();
    found.iter().map(relative).filter(|path| !written.contains(path.as_str())).collect()
}
