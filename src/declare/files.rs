//! The files of a declaration, and their digests.

use crate::error::{Error, Pos, Problem, Result};
use crate::yaml::{self, Yaml};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One file of a declaration, by its path below the root, with the digest of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    pub path: String,
    pub digest: String,
}

/// All files of a declaration.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The directory that holds them.
    pub root: PathBuf,
    pub files: Vec<Source>,
}

/// Limits on what is read: nothing that people write comes near.
const MOST_FILES: usize = 100_000;
const DEEPEST: usize = 32;

impl Sources {
    /// The first position of the first file, for mistakes that have no better place.
    pub fn start(&self) -> Pos {
        let file = self.files.first().map_or_else(|| self.root.clone(), |s| self.root.join(&s.path));
        Pos { file: Arc::new(file), line: 1, column: 1 }
    }

    /// Adds the files that bodies were read from.
    pub fn add_bodies(&mut self, files: &[(PathBuf, Vec<u8>)]) {
        for (path, bytes) in files {
            self.files.push(Source { path: relative(&self.root, path), digest: digest(bytes) });
        }
        self.files.sort();
        self.files.dedup();
    }
}

/// The digest of a file's bytes.
pub fn digest(bytes: &[u8]) -> String {
    short(&blake3::hash(bytes))
}

/// The half of a hash that is written down: collisions of 128 bits do not happen by accident.
pub fn short(hash: &blake3::Hash) -> String {
    hash.to_hex().chars().take(32).collect()
}

/// The path below the root, with `/` on every system.
pub fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .components()
        .map(|c| c.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}

/// The YAML files of a declaration, sorted by path; hidden files are left alone.
pub fn list(path: &Path) -> Result<(PathBuf, Vec<PathBuf>)> {
    let meta = std::fs::metadata(path).map_err(|error| {
        Error::new(format!("cannot read the declaration {}: {error}", path.display()))
            .with_hint("name a file or a directory of YAML files; `pgplumb init` or `pgplumb inspect --out` writes one from a database")
    })?;
    if meta.is_file() {
        return Ok((path.parent().unwrap_or(Path::new("")).to_path_buf(), vec![path.to_path_buf()]));
    }
    let mut files = Vec::new();
    walk(path, 0, &mut files)?;
    files.sort();
    if files.is_empty() {
        return Err(Error::new(format!("there is no YAML file in {}", path.display())));
    }
    Ok((path.to_path_buf(), files))
}

fn walk(directory: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    let fail = |error: std::io::Error| Error::new(format!("cannot read {}: {error}", directory.display()));
    if depth > DEEPEST {
        return Err(Error::new(format!("{}: directories are nested too deep", directory.display())));
    }
    for entry in std::fs::read_dir(directory).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        let kind = std::fs::symlink_metadata(&path).map_err(fail)?;
        if hidden || kind.is_symlink() {
            continue;
        }
        if kind.is_dir() {
            walk(&path, depth + 1, files)?;
        } else if kind.is_file() && path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            files.push(path);
        }
        if files.len() > MOST_FILES {
            return Err(Error::new(format!("{} holds more than {MOST_FILES} files", directory.display())));
        }
    }
    Ok(())
}

/// Reads the files that `wanted` says, by their paths below the root; the others are only digested. Mistakes in the
/// YAML go to `problems`.
pub fn load(path: &Path, wanted: &dyn Fn(&str) -> bool, problems: &mut Vec<Problem>) -> Result<(Sources, Vec<Yaml>)> {
    let (root, paths) = list(path)?;
    let mut sources = Sources { root, files: Vec::new() };
    let mut trees = Vec::new();
    for path in paths {
        let bytes =
            std::fs::read(&path).map_err(|error| Error::new(format!("cannot read {}: {error}", path.display())))?;
        let name = relative(&sources.root, &path);
        if wanted(&name) {
            trees.extend(yaml::read(&Arc::new(path), &bytes, problems));
        }
        sources.files.push(Source { path: name, digest: digest(&bytes) });
    }
    Ok((sources, trees))
}
