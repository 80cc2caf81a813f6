//! `pgplumb compile`.

use super::arguments::{choices, DeclarationArgs, Env, ScratchArgs, TargetArgs};
use super::Outcome;
use crate::compile::{lock, server};
use crate::engine;
use crate::error::{Error, Result};

/// Compile the declaration in scratch and write schema.lock, which belongs into git beside it.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    declaration: DeclarationArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    scratch: ScratchArgs,
    /// Server majors to compile for; by default that of --url, else the newest that is installed.
    #[arg(long, value_name = "MAJOR", value_delimiter = ',')]
    postgres: Vec<u32>,
}

pub async fn run(args: &Args, env: &Env<'_>) -> Result<Outcome> {
    let target = if args.target.is_named() { Some(args.target.resolve(env)?) } else { None };
    let mut majors = args.postgres.clone();
    if majors.is_empty() && args.scratch.locked {
        // Nothing is compiled: what it holds is asked for.
        let held = lock::header(&lock::path_of(&args.declaration.path(env)));
        majors.extend(held.into_iter().flat_map(|header| header.majors));
    }
    if majors.is_empty() {
        if let Some(target) = &target {
            majors.push(engine::open(target).await?.major);
        } else {
            let newest = server::installs(None).iter().map(|i| i.major).max();
            majors.push(newest.ok_or_else(|| {
                Error::new("no PostgreSQL is installed here").with_hint("name a server with --url and --scratch")
            })?);
        }
    }
    let progress = |text: &str| env.terminal.progress(text);
    let place = args.scratch.place(env, target.as_ref())?;
    let choices = choices(args.declaration.path(env), place, target.as_ref(), args.scratch.locked, &progress);
    let lock = lock::path_of(&choices.declaration);
    let words = majors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if args.scratch.locked {
        for major in &majors {
            engine::desired(&choices, *major).await?;
        }
        env.terminal.print(&format!("{}: fresh for PostgreSQL {words}\n", lock.display()))?;
        return Ok(Outcome::Agreement);
    }
    let mut desired = engine::compile(&choices, &majors, true).await?;
    if !desired.lock.finish(&progress) {
        return Err(Error::new(format!("it compiles, but {} could not be written", lock.display())));
    }
    env.terminal.print(&format!(
        "{}: {} things for PostgreSQL {words}\n",
        lock.display(),
        desired.model.nodes().len()
    ))?;
    Ok(Outcome::Agreement)
}
