//! What a declaration says about an audit: its schemas, what it ignores, its tenancy. No server is needed.

use crate::compile::lock::{self, Lock, LockedSettings};
use crate::declare::{self, files};
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::path::Path;

/// From the lock if no YAML file has changed since, else from the declaration itself. Errors: its mistakes.
pub fn settings(declaration: &Path) -> Result<LockedSettings> {
    // A lock that cannot be read is as good as none: settings stand in the YAML too.
    if let Ok(Some(lock)) = Lock::read(&lock::path_of(declaration)) {
        let then: BTreeSet<(String, String)> = lock.files().map(|(p, d)| (p.to_owned(), d.to_owned())).collect();
        if then == digests(declaration)? {
            return Ok(lock.header.settings);
        }
    }
    let settings = declare::read(declaration)?.settings;
    Ok(LockedSettings {
        schemas: settings.schemas,
        ignore: settings.ignore,
        tenancy: settings.tenancy,
        ..LockedSettings::default()
    })
}

fn digests(declaration: &Path) -> Result<BTreeSet<(String, String)>> {
    let (root, paths) = files::list(declaration)?;
    let digest = |file: &Path| {
        let bytes = std::fs::read(file).map_err(|e| Error::new(format!("cannot read {}: {e}", file.display())))?;
        let name = file.strip_prefix(&root).unwrap_or(file).components();
        let path = name.map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        Ok((path, files::digest(&bytes)))
    };
    paths.iter().map(|path| digest(path)).collect()
}
