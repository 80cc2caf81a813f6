//! `pgplumb completion`.

use super::arguments::Env;
use super::{Cli, Outcome};
use crate::error::Result;
use clap::CommandFactory;

/// Prints a completion script for a shell.
#[derive(clap::Args)]
pub struct Args {
    /// The shell.
    shell: clap_complete::Shell,
}

pub fn run(args: &Args, env: &Env) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pgplumb", &mut script);
    env.terminal.print(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Agreement)
}
