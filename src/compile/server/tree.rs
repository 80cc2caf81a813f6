//! Copies of directory trees that can be checked later.
//!
//! A cached tree stands beside a tally of what was copied into it, because cleaners of temporary
//! directories remove single files by age. Copies are made under another name and renamed, so a
//! tree that exists was complete once. `std::fs::copy` shares blocks where the file system can.

use super::process::{give, Account};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What a tree holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub files: u64,
    pub bytes: u64,
}

/// How to copy.
pub struct Copying<'a> {
    /// Who gets the copy; none: us.
    pub to: Option<&'a Account>,
    /// Copy what symbolic links lead to, and let everybody read; otherwise links are left out and
    /// modes stay as they are.
    pub publish: bool,
    /// Give up beyond this.
    pub limit: Tally,
}

impl Copying<'_> {
    /// Copies a directory to a path that does not exist.
    pub fn copy(&self, from: &Path, to: &Path) -> io::Result<Tally> {
        let mut tally = Tally::default();
        self.directory(from, to, &mut tally, 0)?;
        Ok(tally)
    }

    fn directory(&self, from: &Path, to: &Path, tally: &mut Tally, depth: u32) -> io::Result<()> {
        if depth > 32 {
            return Err(io::Error::other(format!("{} is nested too deeply", from.display())));
        }
        DirBuilder::new().mode(0o700).create(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let (source, target) = (entry.path(), to.join(entry.file_name()));
            let kind = entry.file_type()?;
            let meta = match kind.is_symlink() {
                true if self.publish => match fs::metadata(&source) {
                    Ok(meta) => meta,
                    Err(_) => continue, // leads nowhere
                },
                true => continue,
                false => entry.metadata()?,
            };
            if meta.is_dir() {
                self.directory(&source, &target, tally, depth + 1)?;
            } else if meta.is_file() {
                tally.files += 1;
                tally.bytes += meta.len();
                if tally.files > self.limit.files || tally.bytes > self.limit.bytes {
                    return Err(io::Error::other("there is too much in it"));
                }
                fs::copy(&source, &target)?;
                self.finish(&target, meta.mode())?;
            }
        }
        self.finish(to, fs::metadata(from)?.mode())
    }

    fn finish(&self, path: &Path, mode: u32) -> io::Result<()> {
        let mode = mode & 0o777;
        if self.publish {
            let execute = if mode & 0o100 != 0 { 0o111 } else { 0 };
            fs::set_permissions(path, Permissions::from_mode(mode & 0o700 | 0o444 | execute))?;
        } else if path.is_dir() {
            fs::set_permissions(path, Permissions::from_mode(mode))?;
        }
        give(path, self.to)
    }
}

/// Counts what is in a tree.
pub fn count(directory: &Path) -> io::Result<Tally> {
    let mut tally = Tally::default();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            if meta.is_dir() {
                open.push(entry.path());
            } else {
                tally.files += 1;
                tally.bytes += meta.len();
            }
        }
    }
    Ok(tally)
}

/// A tree kept for later at `<entry>/tree`. `<entry>/tally` has its tally and, in the second line,
/// the path that it depends on.
pub struct Kept {
    pub tree: PathBuf,
    pub tally: Tally,
}

/// The kept tree, if there is one and nobody but us can have changed it.
pub fn kept(entry: &Path) -> Option<Kept> {
    if !is_ours(entry) {
        return None;
    }
    let text = fs::read_to_string(entry.join("tally")).ok()?;
    let (files, bytes) = text.lines().next()?.split_once(' ')?;
    let tally = Tally { files: files.parse().ok()?, bytes: bytes.parse().ok()? };
    Some(Kept { tree: entry.join("tree"), tally })
}

/// Keeps at `entry` the tree that `fill` makes, in place of a broken one, for as long as `origin`
/// exists. Somebody who was faster wins.
pub fn keep(entry: &Path, origin: &Path, mode: u32, fill: impl FnOnce(&Path) -> io::Result<Tally>) -> io::Result<()> {
    let new = temporary_beside(entry, ".pgplumb-new-")?;
    let tally = fill(&new.path().join("tree"))?;
    let text = format!("{} {}\n{}\n", tally.files, tally.bytes, origin.display());
    fs::write(new.path().join("tally"), text)?;
    fs::set_permissions(new.path(), Permissions::from_mode(mode))?;
    if fs::rename(new.path(), entry).is_err() && kept(entry).is_none() {
        discard(entry)?;
        fs::rename(new.path(), entry)?;
    }
    Ok(())
}

/// Removes a kept tree that is of no use, if it is ours.
pub fn discard(entry: &Path) -> io::Result<()> {
    if !is_ours(entry) {
        return Err(io::Error::other(format!("{} belongs to somebody else", entry.display())));
    }
    let old = temporary_beside(entry, ".pgplumb-old-")?;
    fs::rename(entry, old.path().join("entry"))
}

fn temporary_beside(entry: &Path, prefix: &str) -> io::Result<tempfile::TempDir> {
    let parent = entry.parent().unwrap_or(Path::new("/"));
    tempfile::Builder::new().prefix(prefix).permissions(Permissions::from_mode(0o700)).tempdir_in(parent)
}

/// Removes the trees beside `entry` that nobody will ask for again: made from the same origin in an
/// earlier state, or from one that is gone.
pub fn sweep(entry: &Path, origin: &Path) {
    let Some(Ok(entries)) = entry.parent().map(fs::read_dir) else { return };
    for other in entries.filter_map(|other| Some(other.ok()?.path())).filter(|other| other != entry) {
        let Ok(text) = fs::read_to_string(other.join("tally")) else { continue };
        let of = text.lines().nth(1).map(Path::new);
        if of.is_some_and(|of| of == origin || !of.exists()) {
            let _ = discard(&other);
        }
    }
}

/// Whether a path is a directory of our own that only we can write to.
pub fn is_ours(path: &Path) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|meta| meta.is_dir() && meta.uid() == super::process::own_uid() && meta.mode() & 0o022 == 0)
}
