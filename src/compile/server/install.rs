//! Finding installed PostgreSQL binaries.
//!
//! An installation is a directory that holds both `postgres` and `initdb`. Places are searched from
//! the most explicit (a setting, the environment) to the conventional, and the first found comes
//! first; within a place that holds several majors the newest does.

use crate::error::{Error, Result};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment variable that names installations: paths separated by colons.
pub const ROOT_VARIABLE: &str = "PGPLUMB_PG_ROOT";

/// Installed server binaries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Install {
    /// The directory of `postgres` and `initdb`, symbolic links resolved.
    pub bin: PathBuf,
    pub major: u32,
    /// As `postgres --version` says it, such as `15.18` or `18beta1`.
    pub version: String,
}

/// All installations that can be found, the preferred first. `setting` is a directory of binaries,
/// an installation's prefix, or a directory of prefixes named by major; so is each path of
/// `PGPLUMB_PG_ROOT`.
pub fn installs(setting: Option<&Path>) -> Vec<Install> {
    let mut seen = HashSet::new();
    probed(setting).filter(|install| seen.insert((install.major, install.bin.clone()))).collect()
}

/// The same, some of them more than once, each asked for its version when its turn comes.
fn probed(setting: Option<&Path>) -> impl Iterator<Item = Install> + '_ {
    places(setting).flat_map(|(_, directories)| directories).filter_map(|bin| probe(&bin))
}

/// The preferred installation of a major, or of any. Fails with what was searched and what is there.
pub fn find(major: Option<u32>, setting: Option<&Path>) -> Result<Install> {
    if let Some(path) = setting {
        if !under(path).iter().any(|bin| probe(bin).is_some()) {
            return Err(Error::new(format!("no PostgreSQL server binaries in {}", path.display())).with_hint(
                "name a directory that holds `postgres` and `initdb`, its parent, or a directory of <major>/bin",
            ));
        }
    }
    if let Some(install) = probed(setting).find(|install| major.is_none_or(|major| install.major == major)) {
        return Ok(install);
    }
    let found = installs(setting);
    let wanted = major.map_or_else(|| "PostgreSQL".to_owned(), |major| format!("PostgreSQL {major}"));
    let searched: Vec<String> = places(setting).map(|(label, _)| label).collect();
    let there = if found.is_empty() {
        "found none".to_owned()
    } else {
        let list: Vec<String> =
            found.iter().map(|install| format!("{} in {}", install.version, install.bin.display())).collect();
        format!("found {}", list.join(", "))
    };
    let package = major.map_or_else(|| "postgresql".to_owned(), |major| format!("postgresql-{major}"));
    Err(Error::new(format!("no server binaries of {wanted} here: {there}; searched {}", searched.join(", ")))
        .with_hint(format!(
            "install them (Debian: package {package}) or set {ROOT_VARIABLE} to a directory that holds them"
        )))
}

impl Install {
    /// The path of one of the installation's programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Whether `create extension` would find the extension's control file.
    pub fn has_extension(&self, name: &str) -> bool {
        if name.is_empty() || name.contains(['/', '\0']) {
            return false;
        }
        let control = format!("extension/{name}.control");
        self.share_directories().iter().any(|share| share.join(&control).is_file())
    }

    /// Where the installation's shared files are: as `pg_config` beside the binaries says, else
    /// where packagers put them.
    fn share_directories(&self) -> Vec<PathBuf> {
        if let Some(told) = output(&self.program("pg_config"), "--sharedir") {
            return vec![PathBuf::from(told)];
        }
        let prefix = self.bin.parent().unwrap_or(Path::new("/"));
        let share = prefix.join("share");
        vec![
            share.clone(),
            share.join("postgresql"),
            share.join(format!("postgresql/{}", self.major)),
            share.join(format!("postgresql@{}", self.major)),
            PathBuf::from(format!("/usr/share/postgresql/{}", self.major)),
        ]
    }
}

/// Each place with its name for messages and the directories of binaries it leads to, looked at when its turn comes.
fn places(setting: Option<&Path>) -> impl Iterator<Item = (String, Vec<PathBuf>)> + '_ {
    let set = setting.map(|path| (path.display().to_string(), under(path)));
    let named = || {
        let list = std::env::var_os(ROOT_VARIABLE).filter(|list| !list.is_empty())?;
        let paths: Vec<PathBuf> = std::env::split_paths(&list).collect();
        let label = format!("{ROOT_VARIABLE} ({})", list.to_string_lossy());
        Some((label, paths.iter().flat_map(|path| under(path)).collect()))
    };
    let path = || {
        let list = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&list).filter(|path| path.is_absolute()).collect()
    };
    let told = || output(Path::new("pg_config"), "--bindir").map(PathBuf::from).into_iter().collect();
    type Look = fn() -> Vec<PathBuf>;
    let usual: [(&str, Look); 6] = [
        ("PATH", path),
        ("pg_config --bindir", told),
        ("/usr/lib/postgresql/*/bin", || numbered("/usr/lib/postgresql", "")),
        ("/usr/pgsql-*/bin", || numbered("/usr", "pgsql-")),
        ("/usr/local/pgsql/bin", || vec![PathBuf::from("/usr/local/pgsql/bin")]),
        ("/opt/homebrew/opt/postgresql@*/bin", || numbered("/opt/homebrew/opt", "postgresql@")),
    ];
    let usual = usual.into_iter().map(|(label, directories)| (label.to_owned(), directories()));
    set.into_iter().chain(std::iter::once_with(named).flatten()).chain(usual)
}

/// The directories of binaries a path may mean: itself, its `bin`, and `<major>/bin` in it.
fn under(path: &Path) -> Vec<PathBuf> {
    let mut directories = vec![path.to_owned(), path.join("bin")];
    directories.extend(numbered(path, ""));
    directories
}

/// `<directory>/<prefix><number>/bin`, the highest number first.
fn numbered(directory: impl AsRef<Path>, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let number = path.file_name()?.to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((number, path.join("bin")))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, bin)| bin).collect()
}

/// The installation in a directory of binaries, if it is one. `postgres` may be a symbolic link into
/// the real directory, where `initdb` must then be as well.
fn probe(bin: &Path) -> Option<Install> {
    let postgres = bin.join("postgres").canonicalize().ok().filter(|path| path.is_file())?;
    let bin = postgres.parent()?.to_owned();
    if !bin.join("initdb").is_file() {
        return None;
    }
    let version = output(&postgres, "--version")?.split_whitespace().nth(2)?.to_owned();
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    let major = version.get(..digits)?.parse().ok()?;
    Some(Install { bin, major, version })
}

/// What a program prints when it succeeds.
fn output(program: &Path, argument: impl AsRef<OsStr>) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
