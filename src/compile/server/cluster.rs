//! A fresh data directory, quickly.
//!
//! `initdb` takes most of a second, a copy of its result a tenth of that. So the first result for an
//! installation is kept (under the user's cache directory; for root under `/tmp`) and copied from
//! then on. A kept tree that is not what was kept is thrown away.
//!
//! To make a file takes some file systems longer than to fill it, and a cluster has about a thousand. So what nobody
//! needs is not in it: the database `template1`, and forks that a server makes anew.

use super::access::{identity, Runnable};
use super::install::Install;
use super::process::{own_uid, spawn};
use super::tree::{self, Copying, Tally};
use crate::error::{Error, Result};
use std::fs::{self, DirBuilder, Permissions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// In single-user mode each line is a command.
const DROP_TEMPLATE1: &str = "\
UPDATE pg_database SET datistemplate = false WHERE datname = 'template1'
DROP DATABASE template1
";

const NO_LIMIT: Tally = Tally { files: u64::MAX, bytes: u64::MAX };

/// Where a data directory came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Copied,
    Made,
}

/// Makes `directory/data`: a copy of the kept one, or by `initdb`, which is then kept; None where it is no longer `wanted`:
/// then the directory may be gone, and `initdb` would make it again.
pub fn make(postgres: &Runnable, directory: &Path, wanted: &dyn Fn() -> bool) -> Result<Option<Source>> {
    let data = directory.join("data");
    let entry = cache_entry(&postgres.install);
    if let Some(kept) = entry.as_deref().and_then(tree::kept) {
        let copy = Copying { to: postgres.account.as_ref(), publish: false, limit: NO_LIMIT }.copy(&kept.tree, &data);
        if copy.is_ok_and(|tally| tally == kept.tally) {
            return Ok(Some(Source::Copied));
        }
    }
    if !wanted() {
        return Ok(None);
    }
    make_afresh(postgres, directory)?;
    Ok(Some(Source::Made))
}

/// Makes `directory/data` by `initdb` and keeps it in place of what was kept before.
pub fn make_afresh(postgres: &Runnable, directory: &Path) -> Result<()> {
    let data = directory.join("data");
    let _ = fs::remove_dir_all(&data);
    initdb(postgres, directory, &data)?;
    if let Some(entry) = cache_entry(&postgres.install) {
        // Without the copy the next start is slower, no more.
        if tree::kept(&entry).is_some() {
            let _ = tree::discard(&entry);
        }
        let copying = Copying { to: None, publish: false, limit: NO_LIMIT };
        let _ = tree::keep(&entry, &postgres.install.bin, 0o700, |new| copying.copy(&data, new));
        tree::sweep(&entry, &postgres.install.bin);
    }
    Ok(())
}

fn initdb(postgres: &Runnable, directory: &Path, data: &Path) -> Result<()> {
    let program = postgres.install.program("initdb");
    let failed =
        |why: String| Error::new(format!("cannot make a PostgreSQL cluster with {}: {why}", program.display()));
    let mut command = postgres.command("initdb", directory);
    command.arg("-D").arg(data).args(initdb_arguments(postgres.install.major));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output =
        spawn(command).and_then(|child| child.wait_with_output()).map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        // With them the copies take longer, no more.
        let _ = slim(postgres, directory, data);
        return Ok(());
    }
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(failed(format!("{}\n{}", output.status, last_lines(&text, 12))))
}

/// Drops `template1`, and removes maps of free space and of visibility: without one nothing is known to be free or
/// visible to all (manual, Database Physical Storage).
fn slim(postgres: &Runnable, directory: &Path, data: &Path) -> std::io::Result<()> {
    let mut command = postgres.command("postgres", directory);
    command.args(["--single", "-F", "-D"]).arg(data).arg("postgres");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = spawn(command)?;
    let written = child.stdin.take().map(|mut input| input.write_all(DROP_TEMPLATE1.as_bytes()));
    // Whatever became of that: as long as it runs, no server can.
    if !child.wait()?.success() {
        return Err(std::io::Error::other("template1 could not be dropped"));
    }
    written.transpose()?;
    let mut directories: Vec<PathBuf> = vec![data.join("global")];
    directories.extend(fs::read_dir(data.join("base"))?.filter_map(|entry| Some(entry.ok()?.path())));
    for entry in directories.iter().map(fs::read_dir).filter_map(std::io::Result::ok).flatten() {
        let path = entry?.path();
        if path.to_str().is_some_and(|path| path.ends_with("_fsm") || path.ends_with("_vm")) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn initdb_arguments(major: u32) -> Vec<&'static str> {
    let mut arguments =
        vec!["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"];
    if major >= 18 {
        arguments.push("--no-data-checksums"); // on by default since 18
    }
    arguments
}

/// The end of a log for an error message, indented.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let start = lines.len().saturating_sub(count);
    lines[start..].iter().map(|line| format!("  | {line}")).collect::<Vec<_>>().join("\n")
}

/// Where the cluster of an installation is kept. None: there is no safe place.
fn cache_entry(install: &Install) -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let root = match absolute("XDG_CACHE_HOME") {
        Some(cache) => cache.join("pgplumb"),
        // Root's HOME may be that of the user who called sudo.
        None if own_uid() == 0 => PathBuf::from("/tmp/pgplumb-cache-0"),
        None => absolute("HOME")?.join(".cache/pgplumb"),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(&root).ok()?;
    let mut hasher = DefaultHasher::new();
    (identity(install), initdb_arguments(install.major), DROP_TEMPLATE1).hash(&mut hasher);
    tree::is_ours(&root).then(|| root.join(format!("cluster-{}-{:016x}", install.major, hasher.finish())))
}

/// Writes the settings at the end of `postgresql.conf`, where they win over what `initdb` wrote.
pub fn configure(directory: &Path, settings: &[(String, String)]) -> Result<()> {
    let path = directory.join("data/postgresql.conf");
    let failed = |error: std::io::Error| Error::new(format!("cannot write {}: {error}", path.display()));
    let mut text = fs::read_to_string(&path).map_err(failed)?;
    text.push_str("\n# pgplumb\n");
    for (name, value) in settings {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
            return Err(Error::new(format!("{name:?} is not the name of a PostgreSQL setting")));
        }
        if value.contains(['\n', '\r', '\0']) {
            return Err(Error::new(format!("the value of setting {name} has more than one line")));
        }
        let value = value.replace('\\', "\\\\").replace('\'', "''");
        text.push_str(&format!("{name} = '{value}'\n"));
    }
    fs::write(&path, text).map_err(failed)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)
}
