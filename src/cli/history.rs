//! `pgplumb history`.

use super::arguments::{Env, TargetArgs};
use super::Outcome;
use crate::apply::journal;
use crate::engine;
use crate::error::{Error, Result};

/// Show who applied what, when and how long, from the journal in the database.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// How many entries, the newest first.
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// How to print it.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Human,
    Json,
}

pub async fn run(args: &Args, env: &Env<'_>) -> Result<Outcome> {
    let session = engine::open(&args.target.resolve(env)?).await?;
    let entries = journal::entries(&session, i64::from(args.limit)).await?;
    let text = match args.format {
        Format::Json => {
            let json = serde_json::to_string_pretty(&entries).map_err(|e| Error::new(e.to_string()))?;
            format!("{json}\n")
        }
        Format::Human => crate::report::history(&entries),
    };
    env.terminal.print(&text)?;
    Ok(Outcome::Agreement)
}
