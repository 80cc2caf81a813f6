//! Where output goes: results to standard output, progress and notes to standard error; colours only
//! where somebody sees them.

use crate::error::{Error, Result};
use std::io::{IsTerminal, Write};

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum When {
    Auto,
    Always,
    Never,
}

/// The two streams and what they can show.
pub struct Terminal {
    /// Whether standard output shows colours.
    pub color: bool,
    /// Whether standard error is watched by a person.
    pub watched: bool,
    quiet: bool,
    pub verbose: bool,
}

impl Terminal {
    pub fn new(when: When, quiet: bool, verbose: bool) -> Self {
        let wanted = |terminal: bool| match when {
            When::Always => true,
            When::Never => false,
            // no-color.org: any value that is not empty.
            When::Auto => {
                terminal
                    && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
                    && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
            }
        };
        Self {
            color: wanted(std::io::stdout().is_terminal()),
            watched: std::io::stderr().is_terminal(),
            quiet,
            verbose,
        }
    }

    /// Prints a result. A reader that went away (`| head`) ends the program quietly.
    pub fn print(&self, text: &str) -> Result<()> {
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                crate::compile::server::stop_all();
                std::process::exit(0)
            }
            result => result.map_err(|e| Error::new(format!("cannot write to standard output: {e}"))),
        }
    }

    /// Says what is being done, unless it is to be quiet.
    pub fn progress(&self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }

    /// Says what only those want to know who asked for more.
    pub fn detail(&self, text: &str) {
        if self.verbose {
            self.say(text);
        }
    }

    /// Shows a question.
    pub fn ask(&self, text: &str) -> Result<()> {
        let mut err = std::io::stderr().lock();
        err.write_all(text.as_bytes()).and_then(|()| err.flush()).map_err(|e| Error::new(format!("cannot ask: {e}")))
    }

    fn say(&self, text: &str) {
        // A closed standard error is no reason to stop.
        let _ = writeln!(std::io::stderr().lock(), "{}", crate::report::lines(text));
    }
}
