//! The command line: one file per command, each with its arguments and a call. No logic.

mod apply;
mod arguments;
mod audit;
mod check;
mod compile;
mod completion;
mod drift;
mod history;
mod init;
mod inspect;
mod plan;
mod rollback;
mod settings;
mod show;
mod terminal;

pub use terminal::Terminal;

use crate::error::{Error, Result};
use clap::{Parser, Subcommand};
use std::time::Duration;

/// What a run tells its caller through the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 0: in agreement, or done.
    Agreement,
    /// 2: differences or findings.
    Differences,
    /// 1: no difference found, but not all could be looked at; what is missing has been printed.
    Undecided,
}

/// Holds a live PostgreSQL database against the schema that its owners declared in YAML.
#[derive(Parser)]
#[command(
    name = "pgplumb",
    version,
    about,
    arg_required_else_help = true,
    after_help = "Exit status: 0 in agreement, 1 could not tell (errors), 2 differences or findings.\n\
                  A first run: pgplumb init --url postgres://localhost/mydb, then edit schema/, then\n\
                  pgplumb plan --out plans/change.yaml, pgplumb show plans/change.yaml, pgplumb apply plans/change.yaml."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Say less: no progress, only results and errors.
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say more: what is done where and why.
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    verbose: bool,
    /// The settings of the project; by default pgplumb.yaml, if it is there.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    /// When to colour.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: terminal::When,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Args),
    Inspect(inspect::Args),
    Check(check::Args),
    Compile(compile::Args),
    Plan(plan::Args),
    Show(show::Args),
    Apply(apply::Args),
    Rollback(rollback::Args),
    Drift(drift::Args),
    Audit(audit::Args),
    History(history::Args),
    Completion(completion::Args),
}

/// How long a command may go on computing after it was told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Ends the process after Ctrl-C where the command does not: what computes hears of nothing. A second Ctrl-C does not
/// wait for servers elsewhere, which may not answer.
async fn end_when_interrupted() {
    crate::apply::interrupted().await;
    let again = crate::apply::interrupted();
    let orderly = async {
        tokio::time::sleep(GRACE).await;
        crate::compile::abandon().await;
    };
    tokio::select! {
        () = again => {}
        () = orderly => {}
    }
    crate::compile::server::stop_all();
    eprintln!("error: interrupted");
    std::process::exit(1);
}

/// Runs the command line. Prints results; errors are the caller's to print.
pub fn run(cli: Cli) -> Result<Outcome> {
    let terminal = Terminal::new(cli.color, cli.quiet, cli.verbose);
    let settings = settings::Project::read(cli.config.as_deref())?;
    // Connections are served while this thread computes.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(8 << 20)
        .enable_all()
        .build()
        .map_err(|e| Error::new(format!("cannot start the runtime: {e}")))?;
    let env = arguments::Env { terminal: &terminal, project: &settings };
    let command = async {
        match &cli.command {
            Command::Init(args) => init::run(args, &env).await,
            Command::Inspect(args) => inspect::run(args, &env).await,
            Command::Check(args) => check::run(args, &env),
            Command::Compile(args) => compile::run(args, &env).await,
            Command::Plan(args) => plan::run(args, &env).await,
            Command::Show(args) => show::run(args, &env),
            Command::Apply(args) => apply::run(args, &env).await,
            Command::Rollback(args) => rollback::run(args, &env).await,
            Command::Drift(args) => drift::run(args, &env).await,
            Command::Audit(args) => audit::run(args, &env).await,
            Command::History(args) => history::run(args, &env).await,
            Command::Completion(args) => completion::run(args, &env),
        }
    };
    // What changes a database ends its transaction in an orderly way itself.
    let orderly = matches!(&cli.command, Command::Apply(_) | Command::Rollback(_));
    if !orderly {
        runtime.spawn(end_when_interrupted());
    }
    runtime.block_on(async {
        // Listened to first of all: the command may start a server before it waits for anything.
        let stop = crate::apply::interrupted();
        let result = if orderly {
            command.await
        } else {
            tokio::select! {
                biased;
                () = stop => Err(Error::new("interrupted")),
                result = command => result,
            }
        };
        crate::compile::abandon().await;
        result
    })
}
