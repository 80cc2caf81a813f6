//! `pgplumb check`.

use super::arguments::{DeclarationArgs, Env};
use super::Outcome;
use crate::declare;
use crate::error::{Error, Result};

/// Check the declaration alone, without a server: YAML, SQL syntax, references, names.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    declaration: DeclarationArgs,
    /// Print the JSON Schema of declarations, for editors, and do nothing else.
    #[arg(long)]
    json_schema: bool,
}

pub fn run(args: &Args, env: &Env) -> Result<Outcome> {
    if args.json_schema {
        let text = serde_json::to_string_pretty(&declare::json_schema()).unwrap_or_default();
        env.terminal.print(&format!("{text}\n"))?;
        return Ok(Outcome::Agreement);
    }
    let path = args.declaration.path(env);
    let declaration = declare::read(&path)?;
    let doubts = declaration.doubts();
    if !doubts.is_empty() {
        return Err(Error::Declaration(doubts));
    }
    let (things, files) = (declaration.drafts.len(), declaration.sources.files.len());
    env.terminal.print(&format!(
        "{}: {things} things in {files} file{}, no mistake found\n",
        path.display(),
        if files == 1 { "" } else { "s" }
    ))?;
    Ok(Outcome::Agreement)
}
