//! `pgplumb rollback`.

use super::arguments::{Env, RunArgs, TargetArgs};
use super::Outcome;
use crate::error::Result;
use crate::report::count;
use crate::{apply, engine};
use std::path::PathBuf;

/// Run the way back of a plan that was applied, wholly or in part. What it would lose has to be allowed.
#[derive(clap::Args)]
pub struct Args {
    /// The plan file.
    #[arg(value_name = "FILE")]
    plan: PathBuf,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    run: RunArgs,
    /// Allow a hazard of the way back: --allow 'data_loss:table app.orders'.
    #[arg(long, value_name = "HAZARD:ADDRESS")]
    allow: Vec<String>,
}

pub async fn run(args: &Args, env: &Env<'_>) -> Result<Outcome> {
    let plan = super::arguments::read_plan(&args.plan)?;
    let target = args.target.resolve(env)?;
    let session = engine::open(&target).await?;
    args.run.confirm(env, &format!("the way back of {} on {}", args.plan.display(), target.describe()))?;
    let progress = |text: &str| env.terminal.progress(text);
    let options = args.run.options(env, &args.target, &target, &progress);
    let report = apply::rollback(&plan, &session, &args.allow, &options).await?;
    let (steps, transactions) = (count(report.steps, "step"), count(report.batches, "transaction"));
    env.terminal.print(&format!("rolled back: {steps} in {transactions}\n"))?;
    Ok(Outcome::Agreement)
}
