//! `pgplumb plan`.

use super::arguments::{choices, wrote_lock, DeclarationArgs, Env, ScratchArgs, TargetArgs};
use super::Outcome;
use crate::catalog::Session;
use crate::engine::{Choices, Desired, Live};
use crate::error::{Error, Result};
use crate::plan::{Draft, SearchPath};
use crate::rehearsal::{self, Subject};
use crate::{apply, compile::lock, decide, engine, plan, report};
use std::path::PathBuf;
use std::sync::Arc;

/// Compare the declaration with a database and plan the way there: ordered steps with their locks and
/// hazards, and the way back. Nothing on the database is changed.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    declaration: DeclarationArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    scratch: ScratchArgs,
    /// Write the plan to this file, for review and `pgplumb apply`; without FILE, to one named after the
    /// database in the directory for plans (pgplumb.yaml, else plans/).
    #[arg(long, value_name = "FILE")]
    out: Option<Option<PathBuf>>,
    /// Allow a hazard at an address, as the plan prints it: --allow 'data_loss:column app.orders.total'.
    #[arg(long, value_name = "HAZARD:ADDRESS")]
    allow: Vec<String>,
    /// Do not try the plan in scratch first; it is marked so.
    #[arg(long)]
    no_rehearsal: bool,
    /// Fail if the plan cannot be tried in scratch.
    #[arg(long, conflicts_with = "no_rehearsal")]
    rehearse: bool,
    /// Exit with 2 if there is anything to do.
    #[arg(long)]
    exit_code: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value = "human")]
    format: report::PlanFormat,
}

pub async fn run(args: &Args, env: &Env<'_>) -> Result<Outcome> {
    let target = args.target.resolve(env)?;
    let progress = |text: &str| env.terminal.progress(text);
    let place = args.scratch.place(env, Some(&target))?;
    let choices = choices(args.declaration.path(env), place, Some(&target), args.scratch.locked, &progress);
    let session = Arc::new(engine::open(&target).await?);
    let (mut desired, mut live) = engine::both(&choices, &session, true).await?;
    let mut prepared = Box::pin(prepare(args, env, &choices, &session, &mut desired, &live)).await;
    // PostgreSQL may print in another way what is made from what it printed. What was adopted was never fed back.
    let lock = lock::path_of(&choices.declaration);
    let is_proven = |draft: &Draft| draft.plan.is_empty() || draft.plan.why_not_rehearsed().is_none();
    let open = !prepared.as_ref().is_ok_and(is_proven);
    if open && !choices.locked && lock::header(&lock).is_some_and(|header| header.adopted) {
        progress("what was read from a database was never compiled: compiling it, to plan again");
        match engine::compile(&choices, &[session.major], true).await {
            Ok(mut compiled) => {
                compiled.lock.finish(&progress);
                session.release().await?;
                (desired, live) = engine::both(&choices, &session, true).await?;
                prepared = Box::pin(prepare(args, env, &choices, &session, &mut desired, &live)).await;
            }
            // Then the plan is what it was without.
            Err(error) => progress(&format!("note: {error}")),
        }
    }
    let draft = prepared?;
    if let Some(why) = draft.plan.why_not_rehearsed().filter(|_| args.rehearse) {
        return Err(Error::new(format!("the plan cannot be rehearsed: {why}"))
            .with_hint("name a place for it with --scratch, or leave --rehearse out"));
    }
    let plan = draft.seal(&args.allow)?;
    let allowed = plan.allowed.iter().map(|a| (a.hazard, a.address.as_str(), ""));
    apply::never(allowed, env.project.never(args.target.name()))?;
    let usual = || env.project.plans().join(format!("{}.yaml", target.database().replace(['/', '.'], "_")));
    let out = args.out.as_ref().map(|named| named.clone().unwrap_or_else(usual));
    if let Some(out) = &out {
        let directory = out.parent().filter(|directory| !directory.as_os_str().is_empty());
        if let Some(Err(error)) = directory.map(std::fs::create_dir_all) {
            return Err(Error::new(format!("cannot make the directory of {}: {error}", out.display())));
        }
        lock::store(out, &plan.write()?)?;
    }
    env.terminal.print(&report::plan(&plan, args.format, env.terminal.color))?;
    for thing in &live.unmodelled {
        env.terminal.progress(&format!("not managed: {}", thing.what));
    }
    for (address, grant) in &live.foreign_grants {
        let grant = &grant.printed;
        env.terminal.progress(&format!("not managed: grant {grant} on {address}, made by another role than its owner"));
    }
    if let Some(out) = &out {
        env.terminal.progress(&format!("wrote {}; run it with `pgplumb apply {}`", out.display(), out.display()));
    }
    let differs = args.exit_code && !plan.is_empty();
    // The program ends here: to free the models piece by piece takes longer than to compare them.
    std::mem::forget((desired, live, draft));
    Ok(if differs { Outcome::Differences } else { Outcome::Agreement })
}

/// The plan, rehearsed if it can be.
async fn prepare(
    args: &Args,
    env: &Env<'_>,
    choices: &Choices<'_>,
    session: &Session,
    desired: &mut Desired,
    live: &Live,
) -> Result<Draft> {
    let wanted = engine::wanted(desired);
    let search_path = SearchPath::of(&desired.settings.search_path);
    // To start a server takes as long as to find the plan that is tried there.
    if !args.no_rehearsal && !desired.is_live(live) {
        choices.scratch.warm(session.major);
    }
    let decided = decide::plan(choices, session, desired, live).await;
    let drafted = match decided {
        Ok(()) => plan::draft(session, live, &desired.model, &wanted, &search_path).await,
        Err(error) => Err(error),
    };
    wrote_lock(desired, choices);
    let mut draft = drafted?;
    session.release().await?;
    if args.no_rehearsal && !draft.plan.is_empty() {
        draft.plan.untried("--no-rehearsal was said");
        return Ok(draft);
    }
    let subject = Subject::new(live, &desired.model, &wanted);
    let detail = |text: &str| env.terminal.detail(text);
    rehearsal::rehearse(&choices.scratch, choices.env, session, subject, &mut draft, &detail).await?;
    Ok(draft)
}
