//! Child processes of a local server: under which account they run, and that they end with us.
//!
//! `postgres` and `initdb` refuse to run as root, so a root run gives them another account. On Linux
//! the kernel sends a child SIGQUIT (PostgreSQL's immediate shutdown) when we die, however we die.
//! That signal is bound to the *thread* that forked (prctl(2), PR_SET_PDEATHSIG), so all children
//! are forked by one thread that lives as long as the process. Elsewhere the next start cleans up.

use crate::error::{Error, Result};
use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{channel, Sender};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The account a server runs under when we are root.
#[derive(Clone, Debug)]
pub struct Account {
    pub name: &'static str,
    pub uid: u32,
    pub gid: u32,
}

/// Our effective user.
pub fn own_uid() -> u32 {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// The account for servers: `postgres` or `nobody` when we are root, else none (our own).
pub fn account() -> Result<Option<Account>> {
    if own_uid() != 0 {
        return Ok(None);
    }
    let found = [c"postgres", c"nobody"].into_iter().find_map(look_up);
    found.map(Some).ok_or_else(|| {
        Error::new("PostgreSQL refuses to run as root, and there is neither a user postgres nor a user nobody")
            .with_hint("run as another user, or add a user postgres")
    })
}

fn look_up(name: &'static CStr) -> Option<Account> {
    let mut buffer = vec![0 as libc::c_char; 16 * 1024];
    let mut found = std::ptr::null_mut();
    // SAFETY: all zeroes is a valid `passwd`; it is read only when `found` points to it.
    let mut record: libc::passwd = unsafe { std::mem::zeroed() };
    // SAFETY: every pointer is valid for the call, and the length is the buffer's.
    let status = unsafe { libc::getpwnam_r(name.as_ptr(), &mut record, buffer.as_mut_ptr(), buffer.len(), &mut found) };
    let usable = status == 0 && !found.is_null() && record.pw_uid != 0;
    usable.then(|| Account { name: name.to_str().unwrap_or("?"), uid: record.pw_uid, gid: record.pw_gid })
}

/// Gives a path to the account. Without one it is ours already.
pub fn give(path: &Path, account: Option<&Account>) -> io::Result<()> {
    account.map_or(Ok(()), |account| std::os::unix::fs::lchown(path, Some(account.uid), Some(account.gid)))
}

/// A command that runs under the account, knows nothing of the user's PostgreSQL environment, and
/// speaks English.
pub fn command(program: &Path, account: Option<&Account>, directory: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("PG") || name_text.starts_with("LC_") || name_text == "LANGUAGE" {
            command.env_remove(&name);
        }
    }
    command.env("LANG", "C").env("TZ", "UTC").current_dir(directory).stdin(Stdio::null());
    if let Some(account) = account {
        // The standard library drops all supplementary groups with the user.
        command.gid(account.gid).uid(account.uid);
    }
    command
}

/// Starts a command that ends with us, in a process group of its own so that a Ctrl-C at the
/// terminal reaches only us and we decide.
pub fn spawn(mut command: Command) -> io::Result<Child> {
    type Job = (Command, Sender<io::Result<Child>>);
    static FORKER: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();

    command.process_group(0);
    #[cfg(target_os = "linux")]
    {
        let parent = std::process::id();
        // SAFETY: the closure makes only async-signal-safe system calls and allocates nothing. It
        // runs after the change of user, which would clear the signal.
        unsafe {
            command.pre_exec(move || {
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGQUIT) != 0 {
                    return Err(io::Error::last_os_error());
                }
                if libc::getppid() as u32 != parent {
                    return Err(io::Error::from_raw_os_error(libc::ESRCH));
                }
                Ok(())
            });
        }
    }
    let forker = FORKER.get_or_init(|| {
        let (jobs, queue) = channel::<Job>();
        let thread = std::thread::Builder::new().name("forker".to_owned()).spawn(move || {
            for (mut command, answer) in queue {
                // Nobody waits for the answer only if the asking thread is gone.
                let _ = answer.send(command.spawn());
            }
        });
        // Without a thread the queue is dropped, and sending to it fails below.
        drop(thread);
        Mutex::new(jobs)
    });
    let gone = || io::Error::other("the thread that starts child processes is gone");
    let (answer, result) = channel();
    forker.lock().unwrap_or_else(PoisonError::into_inner).send((command, answer)).map_err(|_| gone())?;
    result.recv().map_err(|_| gone())?
}

/// Sends a signal to one process.
pub fn signal(pid: u32, signal: libc::c_int) {
    if let Ok(pid) = libc::pid_t::try_from(pid) {
        if pid > 1 {
            // SAFETY: kill has no memory effects; a process that is gone is an error we ignore.
            unsafe { libc::kill(pid, signal) };
        }
    }
}

/// Whether the process is a PostgreSQL server on this data directory. A zombie is not.
pub fn serves(pid: u32, data: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let process = Path::new("/proc").join(pid.to_string());
    if Path::new("/proc/self/cmdline").exists() {
        let command = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = command.split(|byte| *byte == 0).collect();
        let postgres = words.first().is_some_and(|program| program.ends_with(b"postgres"));
        let named = words.contains(&data.as_os_str().as_bytes());
        let inside = std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == data);
        return postgres && (named || inside);
    }
    let output = Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid.to_string()]).output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(&*data.to_string_lossy()))
}

/// Takes a lock on an open file or directory for as long as the file stays open. False: somebody
/// else has it, and `wait` was not asked for.
pub fn lock(file: &std::fs::File, wait: bool) -> io::Result<bool> {
    use std::os::fd::AsRawFd;
    let operation = if wait { libc::LOCK_EX } else { libc::LOCK_EX | libc::LOCK_NB };
    loop {
        // SAFETY: the descriptor is open for the length of the borrow.
        if unsafe { libc::flock(file.as_raw_fd(), operation) } == 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::EWOULDBLOCK) => return Ok(false),
            _ => return Err(error),
        }
    }
}

/// Whether the account may enter the directory, judged by modes and owners on the way from the root.
pub fn may_enter(directory: &Path, account: Option<&Account>) -> bool {
    let Some(account) = account else {
        use std::os::unix::ffi::OsStrExt;
        let Ok(path) = CString::new(directory.as_os_str().as_bytes()) else { return false };
        // SAFETY: the path is a valid C string.
        return unsafe { libc::access(path.as_ptr(), libc::X_OK) } == 0;
    };
    use std::os::unix::fs::MetadataExt;
    directory.ancestors().all(|step| {
        std::fs::metadata(step).is_ok_and(|meta| {
            let shift = if meta.uid() == account.uid {
                6
            } else if meta.gid() == account.gid {
                3
            } else {
                0
            };
            meta.is_dir() && meta.mode() >> shift & 1 == 1
        })
    })
}
