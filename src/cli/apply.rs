//! `pgplumb apply`.

use super::arguments::{Env, RunArgs, TargetArgs};
use super::Outcome;
use crate::error::Result;
use crate::report::count;
use crate::{apply, engine};
use std::path::PathBuf;

/// Run a reviewed plan: exactly its statements, or refuse. Run it again to go on after a failure.
#[derive(clap::Args)]
pub struct Args {
    /// The plan file.
    #[arg(value_name = "FILE")]
    plan: PathBuf,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    run: RunArgs,
}

pub async fn run(args: &Args, env: &Env<'_>) -> Result<Outcome> {
    let plan = super::arguments::read_plan(&args.plan)?;
    let target = args.target.resolve(env)?;
    let session = engine::open(&target).await?;
    if let Some(why) = plan.why_not_rehearsed() {
        env.terminal.progress(&format!("warning: the plan was not rehearsed: {why}"));
    }
    args.run.confirm(env, &format!("{} on {}: {}", args.plan.display(), target.describe(), plan.summary))?;
    let progress = |text: &str| env.terminal.progress(text);
    let options = args.run.options(env, &args.target, &target, &progress);
    let report = apply::apply(&plan, &session, &options).await?;
    let text = match (report.steps, report.resumed) {
        (0, _) => "nothing to do\n".to_owned(),
        (steps, _) => {
            format!("applied: {} in {}\n", count(steps, "step"), count(report.batches, "transaction"))
        }
    };
    env.terminal.print(&text)?;
    Ok(Outcome::Agreement)
}
