//! Programs, how long they run and how much memory they take.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a run took.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub wall: Duration,
    /// Peak of the resident set, in bytes, of the program or of the largest process that it waited for.
    pub peak: u64,
    /// The exit status; 128 and more for a signal.
    pub status: i32,
}

/// Runs a program to its end; what it prints goes to a file.
pub fn run(mut command: Command, log: &Path) -> io::Result<Run> {
    let out = File::create(log)?;
    command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
    let start = Instant::now();
    let pid = command.spawn()?.id();
    let mut status = 0;
    // SAFETY: an all-zero rusage is one, and wait4 writes to the two places alone. Nobody else waits
    // for this child: `Child` does not when it is dropped.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        while libc::wait4(pid as libc::pid_t, &mut status, 0, &mut usage) == -1 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        usage
    };
    let wall = start.elapsed();
    let kibi = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let status = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) };
    Ok(Run { wall, peak: usage.ru_maxrss as u64 * kibi, status })
}

/// The median of the walls and the largest of the peaks.
pub fn summary(runs: &[Run]) -> Option<Run> {
    let mut sorted = runs.to_vec();
    sorted.sort_by_key(|run| run.wall);
    let middle = sorted.get(sorted.len() / 2)?;
    let peak = runs.iter().map(|run| run.peak).max()?;
    Some(Run { peak, ..*middle })
}
