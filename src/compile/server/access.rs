//! Binaries that the server's account can run.
//!
//! Binaries under a home directory such as `/root` are closed to other users, and so are the shared
//! libraries that some packagers put beside the installation and name relative to it. For a root run
//! such an installation is copied once to `/tmp`, owned by root, with the libraries it needs from
//! closed directories; `LD_LIBRARY_PATH` leads to those.

use super::install::Install;
use super::process::{self, may_enter, Account};
use super::tree::{self, Copying, Tally};
use crate::error::{Error, Result};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The most that is copied: an installation is some 100 MB; anything far beyond is a home directory
/// that happens to have a `bin`.
const LIMIT: Tally = Tally { files: 50_000, bytes: 2 << 30 };

/// Where in a copied installation the libraries from elsewhere are.
const LIBRARIES: &str = ".libraries";

/// An installation with the account that can run it.
#[derive(Clone, Debug)]
pub struct Runnable {
    pub install: Install,
    /// None: our own.
    pub account: Option<Account>,
    libraries: Option<PathBuf>,
}

impl Runnable {
    /// The installation itself if the servers' account can run it, else a copy that it can.
    pub fn new(install: &Install, account: Option<Account>) -> Result<Runnable> {
        let here = Runnable { install: install.clone(), account, libraries: None };
        let Some(account) = here.account.clone() else { return Ok(here) };
        if may_enter(&install.bin, Some(&account)) && here.runs() {
            return Ok(here);
        }
        let mut hasher = DefaultHasher::new();
        identity(install).hash(&mut hasher);
        let entry = PathBuf::from(format!("/tmp/pgplumb-bin-{:016x}", hasher.finish()));
        let failed = |why: String| {
            let (program, entry) = (install.program("postgres"), entry.display());
            let (name, program) = (account.name, program.display());
            Error::new(format!("user {name} cannot run {program}, and a copy in {entry} does not help: {why}"))
                .with_hint("install the binaries where every user can reach them, or do not run as root")
        };
        copy_once(install, &account, &entry).map_err(|error| failed(error.to_string()))?;
        let tree = entry.join("tree");
        let copy = Runnable {
            install: Install { bin: tree.join(install.bin.file_name().unwrap_or_default()), ..install.clone() },
            account: here.account,
            libraries: Some(tree.join(LIBRARIES)),
        };
        match copy.runs() {
            true => Ok(copy),
            false => Err(failed("it does not start there either".to_owned())),
        }
    }

    /// A command for one of the programs, under the account.
    pub fn command(&self, program: &str, directory: &Path) -> Command {
        let mut command = process::command(&self.install.program(program), self.account.as_ref(), directory);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }

    fn runs(&self) -> bool {
        ["postgres", "initdb"].iter().all(|name| {
            let mut command = self.command(name, Path::new("/"));
            command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        })
    }
}

/// What tells one state of an installation from another.
pub fn identity(install: &Install) -> impl Hash {
    let meta = fs::metadata(install.program("postgres")).ok();
    (install.bin.clone(), install.version.clone(), meta.map(|meta| (meta.mtime(), meta.mtime_nsec(), meta.len())))
}

/// Copies the installation's prefix and the libraries, unless a whole copy is there.
fn copy_once(install: &Install, account: &Account, entry: &Path) -> io::Result<()> {
    let whole = |kept: &tree::Kept| tree::count(&kept.tree).is_ok_and(|tally| tally == kept.tally);
    if tree::kept(entry).as_ref().is_some_and(whole) {
        return Ok(());
    }
    if fs::symlink_metadata(entry).is_ok() {
        tree::discard(entry)?;
    }
    let prefix = install.bin.parent().unwrap_or(Path::new("/"));
    tree::keep(entry, &install.bin, 0o755, |new| {
        Copying { to: None, publish: true, limit: LIMIT }.copy(prefix, new)?;
        let libraries = new.join(LIBRARIES);
        fs::create_dir(&libraries)?;
        for (name, library) in closed_libraries(install, account) {
            fs::copy(library, libraries.join(name))?;
        }
        tree::count(new)
    })
}

/// The shared libraries that the programs and loadable modules need from directories the account may
/// not enter, by the name under which the loader looks for them.
fn closed_libraries(install: &Install, account: &Account) -> Vec<(String, PathBuf)> {
    let mut ldd = Command::new("ldd");
    ldd.env_remove("LD_LIBRARY_PATH").arg(install.program("postgres")).arg(install.program("initdb"));
    let lib = install.bin.parent().map(|prefix| prefix.join("lib")).unwrap_or_default();
    for directory in [lib.join("postgresql"), lib] {
        let entries = fs::read_dir(directory).into_iter().flatten();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        ldd.args(paths.filter(|path| path.extension().is_some_and(|extension| extension == "so")));
    }
    // Where there is no ldd, the attempt to run the copy decides.
    let Ok(output) = ldd.output() else { return Vec::new() };
    let mut found: Vec<(String, PathBuf)> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.trim().split_once(" => ")?;
            let path = PathBuf::from(rest.rsplit_once(" (")?.0).canonicalize().ok()?;
            let closed = !may_enter(path.parent()?, Some(account));
            (closed && !name.contains('/')).then(|| (name.to_owned(), path))
        })
        .collect();
    found.sort();
    found.dedup_by(|a, b| a.0 == b.0);
    found
}
