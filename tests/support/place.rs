//! Where the servers of tests keep their files: in memory where there is room, since they make and drop
//! thousands of databases of which nothing is to be kept.

use pgplumb::compile::server::Options;
use std::path::Path;
use std::process::Command;

const MEMORY: &str = "/dev/shm";
/// Room that has to be free there, in KiB.
const ROOM: u64 = 4 << 20;

/// Options of a test server.
pub fn options(purpose: &str) -> Options {
    let roomy = free(MEMORY).is_some_and(|free| free >= ROOM);
    Options {
        purpose: purpose.to_owned(),
        base: roomy.then(|| Path::new(MEMORY).to_owned()),
        settings: vec![("max_wal_size".to_owned(), "256MB".to_owned())],
    }
}

/// Free KiB of a file system that can be written to, as df says.
fn free(path: &str) -> Option<u64> {
    tempfile::tempfile_in(path).ok()?;
    let output = Command::new("df").args(["-Pk", path]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().last()?.split_whitespace().nth(3)?.parse().ok()
}
