//! `pgplumb inspect`.

use super::arguments::{Env, TargetArgs};
use super::Outcome;
use crate::error::Result;
use crate::{compile::lock, engine, inspect};
use std::path::PathBuf;

/// Print a live database as a declaration; what a declaration cannot hold is listed, never left out in
/// silence. Nothing on the database is changed.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// A schema to read; several may be named. By default all that are neither PostgreSQL's nor an
    /// extension's; names without a schema in the declaration are those of the first one.
    #[arg(long, value_name = "SCHEMA")]
    schema: Vec<String>,
    /// Write to this file (*.yaml), or into this directory with a file for each table; by default to
    /// standard output.
    #[arg(long, value_name = "DIR or FILE")]
    out: Option<PathBuf>,
    /// Declare grants also where nobody was granted anything, so that later grants are differences.
    #[arg(long)]
    grants: bool,
    /// Write over what is there.
    #[arg(long, requires = "out")]
    force: bool,
}

pub async fn run(args: &Args, env: &Env<'_>) -> Result<Outcome> {
    let session = engine::open(&args.target.resolve(env)?).await?;
    let read = inspect::read(&session, &args.schema).await?;
    let document = read.document(args.grants);
    match &args.out {
        None => env.terminal.print(&document.text())?,
        Some(file) if file.extension().is_some_and(|e| e == "yaml" || e == "yml") => {
            if !args.force {
                inspect::refuse_taken(file)?;
            }
            lock::store(file, &document.text())?;
            env.terminal.progress(&format!("wrote {}", file.display()));
        }
        Some(directory) => {
            let files = document.files();
            inspect::store(directory, &files, args.force)?;
            env.terminal.progress(&format!("wrote {} files in {}", files.len(), directory.display()));
            for path in inspect::left_over(directory, &files) {
                env.terminal.progress(&format!("note: {path} was there before and still belongs to the declaration"));
            }
        }
    }
    for note in &read.notes {
        env.terminal.progress(&format!("not in the declaration: {note}"));
    }
    Ok(Outcome::Agreement)
}
