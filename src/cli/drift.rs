//! `pgplumb drift`.

use super::arguments::{choices, wrote_lock, DeclarationArgs, Env, ScratchArgs, TargetArgs};
use super::Outcome;
use crate::drift::Drift;
use crate::error::Result;
use crate::{decide, engine, report};
use std::sync::Arc;

/// Compare a database with the declaration: what is missing, extra or different. Nothing is changed.
#[derive(clap::Args)]
#[command(
    after_help = "Exit status: 0 in agreement, 1 could not tell (errors, something declared could not be read, or texts that may mean \
                  the same and no scratch to tell), 2 drift."
)]
pub struct Args {
    #[command(flatten)]
    declaration: DeclarationArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    scratch: ScratchArgs,
    /// How to print it.
    #[arg(long, value_enum, default_value = "human")]
    format: report::DriftFormat,
}

pub async fn run(args: &Args, env: &Env<'_>) -> Result<Outcome> {
    let target = args.target.resolve(env)?;
    let progress = |text: &str| env.terminal.progress(text);
    let place = args.scratch.place(env, Some(&target))?;
    let declaration = args.declaration.path(env);
    let subject = declaration.display().to_string();
    let choices = choices(declaration, place, Some(&target), args.scratch.locked, &progress);
    let session = Arc::new(engine::open(&target).await?);
    let (mut desired, mut live) = engine::both(&choices, &session, false).await?;
    let undecided = decide::drift(&choices, &session, &mut desired, &mut live).await?;
    wrote_lock(&mut desired, &choices);
    session.release().await?;
    let drift = Drift::of(&live, &desired.model, &undecided, session.major);
    let subject = report::DriftSubject {
        declaration: subject,
        database: session.identity.database.clone(),
        server: session.version.clone(),
    };
    env.terminal.print(&report::drift(&drift, &subject, args.format, env.terminal.color))?;
    // The program ends here: to free a model piece by piece takes longer than to compare it.
    std::mem::forget((desired, live));
    Ok(match (drift.is_empty(), drift.is_whole()) {
        (false, _) => Outcome::Differences,
        (true, false) => Outcome::Undecided,
        (true, true) => Outcome::Agreement,
    })
}

impl clap::ValueEnum for report::DriftFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let (word, help) = self.words();
        Some(clap::builder::PossibleValue::new(word).help(help))
    }
}
