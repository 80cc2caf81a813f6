//! The lock on its way to its file, while what it holds is in use already: to write what is large takes time.

use crate::error::Result;
use std::thread::JoinHandle;

/// Whether the lock was written anew, or is being. When it is dropped, the file is there.
#[derive(Default)]
pub struct Writing {
    thread: Option<JoinHandle<Result<()>>>,
    wrote: bool,
}

impl Writing {
    /// Begins to write it.
    pub(super) fn begin(write: impl FnOnce() -> Result<()> + Send + 'static) -> Self {
        Self { thread: Some(std::thread::spawn(write)), wrote: false }
    }

    /// Waits until it is written; whether that was done. Why it could not be is told to `note`.
    pub fn finish(&mut self, note: &dyn Fn(&str)) -> bool {
        match self.thread.take().map(JoinHandle::join) {
            None => {}
            Some(Ok(Ok(()))) => self.wrote = true,
            Some(Ok(Err(error))) => note(&format!("note: {error}")),
            Some(Err(_)) => note("note: the lock could not be written"),
        }
        self.wrote
    }

    /// Notes that it was written by others.
    pub fn wrote(&mut self) {
        self.wrote = true;
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.finish(&|_| {});
    }
}
