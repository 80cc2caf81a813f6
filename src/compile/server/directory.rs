//! The temporary directory of one server, and the removal of those that died owners left.
//!
//! `<base>/pgplumb-<pid>-<random>`, mode 0700, owned by the server's account. Its owner holds an
//! exclusive flock(2) on the directory itself for life, which dies with the process in every case;
//! tmpfiles.d(5) leaves a locked directory alone, too. The file `owner` is written under the lock:
//! a directory that has it and can be locked by somebody else has lost its owner. Neither process
//! ids nor ages decide, so runs never touch each other, not even in containers that share `/tmp`.

use super::process::{account, give, lock, may_enter, own_uid, serves, signal, Account};
use crate::error::{Error, Result};
use rustix::fs::{open, openat, unlinkat, AtFlags, Dir, DirEntry, Mode, OFlags};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

const PREFIX: &str = "pgplumb-";
const RANDOM: usize = 8;

/// A directory without an owner's file is one in the making, unless it is older than this.
const IN_THE_MAKING: Duration = Duration::from_secs(60);

/// Threads that remove the files of a database with at least so many: where a file system tells the device of each that it
/// is free, and waits (ext4 with `discard`), one thread takes a minute for what 10,000 tables have.
const REMOVERS: usize = 8;
const MANY_FILES: usize = 5_000;

/// The bytes a socket's path may have: 108 with the final zero on Linux, 104 on the BSDs.
const SOCKET_PATH: usize = 103;

/// A locked directory. The lock is the open file.
#[derive(Debug)]
pub struct Directory {
    pub path: PathBuf,
    _lock: File,
}

/// Where servers' directories go: what the caller names, else `TMPDIR` if the server's account can
/// enter it and a socket's path fits, else `/tmp`.
pub fn base(named: Option<&Path>, account: Option<&Account>) -> Result<PathBuf> {
    let usable = |path: &Path| -> std::result::Result<PathBuf, String> {
        let path = path.canonicalize().map_err(|error| error.to_string())?;
        let longest = path.as_os_str().len() + format!("/{PREFIX}4194304-/.s.PGSQL.65535").len() + RANDOM;
        if longest > SOCKET_PATH {
            return Err("its path is too long for a socket".to_owned());
        }
        if !may_enter(&path, account) {
            let who = account.map_or("we", |account| account.name);
            return Err(format!("{who} may not enter it"));
        }
        Ok(path)
    };
    match named {
        Some(path) => usable(path)
            .map_err(|why| Error::new(format!("cannot keep a temporary server in {}: {why}", path.display()))),
        None => {
            let set = std::env::var_os("TMPDIR").map(PathBuf::from).filter(|path| path.is_absolute());
            set.and_then(|path| usable(&path).ok()).map_or_else(
                || usable(Path::new("/tmp")).map_err(|why| Error::new(format!("cannot use /tmp: {why}"))),
                Ok,
            )
        }
    }
}

impl Directory {
    /// Makes and locks a directory. `purpose` is for people who find it.
    pub fn create(base: &Path, account: Option<&Account>, purpose: &str) -> Result<Directory> {
        let failed =
            |error: io::Error| Error::new(format!("cannot make a temporary directory in {}: {error}", base.display()));
        let made = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", std::process::id()))
            .rand_bytes(RANDOM)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(base)
            .map_err(failed)?;
        let file = open_directory(made.path()).map_err(failed)?;
        lock(&file, true).map_err(failed)?;
        let mut owner = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(made.path().join("owner"))
            .map_err(failed)?;
        writeln!(owner, "pgplumb {} for {purpose}", std::process::id()).map_err(failed)?;
        give(made.path(), account).map_err(failed)?;
        Ok(Directory { path: made.keep(), _lock: file })
    }

    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Removes the directory. Processes that are just ending may still write into it.
    pub fn remove(&self) -> io::Result<()> {
        remove(&self.path)
    }
}

fn open_directory(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(path)
}

fn remove(path: &Path) -> io::Result<()> {
    // What is left, if that fails, is removed below.
    let _ = remove_relations(path);
    let mut tries = 0;
    loop {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(_) if tries < 20 => tries += 1,
            result => return result,
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Removes the files of databases that have very many, some at a time. Follows no symbolic links.
fn remove_relations(path: &Path) -> rustix::io::Result<()> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let data = openat(open(path, flags, Mode::empty())?, "data", flags, Mode::empty())?;
    let base = openat(data, "base", flags, Mode::empty())?;
    for database in Dir::read_from(&base)? {
        let Ok(database) = openat(&base, database?.file_name(), flags, Mode::empty()) else { continue };
        let files = Dir::read_from(&database)?.collect::<rustix::io::Result<Vec<_>>>()?;
        if files.len() < MANY_FILES {
            continue;
        }
        let unlink = |file: &DirEntry| {
            let _ = unlinkat(&database, file.file_name(), AtFlags::empty());
        };
        std::thread::scope(|scope| {
            for some in files.chunks(files.len().div_ceil(REMOVERS)) {
                scope.spawn(move || some.iter().for_each(unlink));
            }
        });
    }
    Ok(())
}

/// Removes the directories in `base` (see [`base`]) whose owners died, and stops what still runs in
/// them. Only directories of our own accounts and of our form of name. Returns how many.
pub fn clean_leftovers(named: Option<&Path>) -> usize {
    let Ok(account) = account() else { return 0 };
    let Ok(base) = base(named, account.as_ref()) else { return 0 };
    let Ok(entries) = fs::read_dir(&base) else { return 0 };
    let uids = [own_uid(), account.map_or_else(own_uid, |account| account.uid)];
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| clean(path, &uids).is_some()).count()
}

/// Removes one directory if it is a leftover.
fn clean(path: &Path, uids: &[u32]) -> Option<()> {
    if !is_name(path.file_name()?.to_str()?) {
        return None;
    }
    let meta = fs::symlink_metadata(path).ok().filter(|meta| meta.is_dir() && uids.contains(&meta.uid()))?;
    let file = open_directory(path).ok()?;
    let opened = file.metadata().ok()?;
    if (opened.dev(), opened.ino()) != (meta.dev(), meta.ino()) || !lock(&file, false).ok()? {
        return None;
    }
    if !path.join("owner").exists() {
        let age = SystemTime::now().duration_since(meta.modified().ok()?).ok()?;
        if age < IN_THE_MAKING {
            return None;
        }
    }
    stop_stray(&path.join("data"));
    remove(path).ok()
}

/// Whether a name is `pgplumb-<pid>-<random>`.
fn is_name(name: &str) -> bool {
    let Some((pid, random)) = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-')) else { return false };
    !pid.is_empty()
        && pid.chars().all(|c| c.is_ascii_digit())
        && random.len() == RANDOM
        && random.chars().all(|c| c.is_ascii_alphanumeric())
}

/// Stops the server whose process id is in the data directory, if that process still is its server.
fn stop_stray(data: &Path) {
    let Some(pid) = postmaster(data).map(|(pid, _)| pid) else { return };
    for (send, patience) in [(libc::SIGQUIT, 6), (libc::SIGKILL, 2)] {
        let end = Instant::now() + Duration::from_secs(patience);
        if !serves(pid, data) {
            return;
        }
        signal(pid, send);
        while serves(pid, data) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The process id and the status that a server writes to `postmaster.pid` (first and eighth line,
/// miscadmin.h).
pub fn postmaster(data: &Path) -> Option<(u32, String)> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let mut lines = text.lines();
    let pid = lines.next()?.trim().parse().ok()?;
    Some((pid, lines.nth(6).unwrap_or_default().trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn knows_its_own_names() {
        assert!(is_name("pgplumb-12-aB3dE6gH"));
        for other in ["pgplumb-bin-aB3dE6gH", "pgplumb-12-aB3", "pgplumb--aB3dE6gH", "pgplumb-cache-0", "x-12-aB3dE6gH"]
        {
            assert!(!is_name(other), "{other}");
        }
    }
}
