//! `pgplumb show`.

use super::arguments::Env;
use super::Outcome;
use crate::error::Result;
use crate::report;
use std::path::PathBuf;

/// Print a plan file for review: its steps, locks and hazards, or its way back.
#[derive(clap::Args)]
pub struct Args {
    /// The plan file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How to print it.
    #[arg(long, value_enum, default_value = "human")]
    format: report::PlanFormat,
    /// Show the way back instead.
    #[arg(long)]
    undo: bool,
}

pub fn run(args: &Args, env: &Env) -> Result<Outcome> {
    let plan = super::arguments::read_plan(&args.file)?;
    let view = if args.undo { report::way_back } else { report::plan };
    env.terminal.print(&view(&plan, args.format, env.terminal.color))?;
    Ok(Outcome::Agreement)
}

impl clap::ValueEnum for report::PlanFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let (word, help) = self.words();
        Some(clap::builder::PossibleValue::new(word).help(help))
    }
}
