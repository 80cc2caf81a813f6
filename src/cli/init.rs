//! `pgplumb init`.

use super::arguments::{Env, TargetArgs};
use super::Outcome;
use crate::error::Result;
use crate::{compile::lock, engine, inspect};
use std::path::PathBuf;

/// Adopt a live database: write pgplumb.yaml, its declaration in schema/ and the lock. Nothing on the
/// database is changed.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// Where the project is to be; by default here.
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// A schema to adopt; several may be named. By default all that are neither PostgreSQL's nor an
    /// extension's.
    #[arg(long, value_name = "SCHEMA")]
    schema: Vec<String>,
    /// Write over what is there.
    #[arg(long)]
    force: bool,
}

/// The settings of a new project.
const SETTINGS: &str = "\
# The settings of pgplumb for this project. Every command reads them when it is run in this directory.

# The declaration: a file or a directory of YAML files. It belongs into git, with schema.lock beside it.
declaration: schema

# Where plans are kept for review.
plans: plans

# The databases, by name: `pgplumb plan --target main`. ${NAME} is a variable of the environment, so that no
# password stands in here; passwords can also stand in ~/.pgpass.
targets:
  main:
    url: ${DATABASE_URL}
    # What may never happen there, whatever a plan allows:
    # never: [data_loss]

# Where declarations are compiled: `local` (installed PostgreSQL binaries of the target's major, started for a
# moment in a temporary directory), a URL of a server where databases may be created, or `target`.
# scratch: local

# How long a step waits for a lock before it is tried again, and how often it is tried.
# lock_timeout: 3s
# attempts: 10
";

pub async fn run(args: &Args, env: &Env<'_>) -> Result<Outcome> {
    let settings = args.directory.join("pgplumb.yaml");
    let declaration = args.directory.join("schema");
    if !args.force {
        inspect::refuse_taken(&settings)?;
        inspect::refuse_taken(&declaration)?;
    }
    let session = engine::open(&args.target.resolve(env)?).await?;
    env.terminal.progress("reading the database");
    let read = inspect::read(&session, &args.schema).await?;
    let (things, major) = (read.model.nodes().len(), read.major);
    let notes = read.notes.clone();
    let files = read.document(false).files();
    if let Some(error) = read.adopt(&session, &declaration, &files, args.force).await? {
        env.terminal.progress(&format!("note: the declaration cannot be compiled without this database: {error}"));
    }
    lock::store(&settings, SETTINGS)?;
    for path in inspect::left_over(&declaration, &files) {
        env.terminal.progress(&format!(
            "note: {path} was there before and still belongs to the declaration: the lock is stale"
        ));
    }
    for note in &notes {
        env.terminal.progress(&format!("not in the declaration: {note}"));
    }
    let (settings, declaration) = (settings.display(), declaration.display());
    env.terminal.print(&format!(
        "wrote {settings}, and {things} things of PostgreSQL {major} in {} {} in {declaration}\n\
         now commit them, edit {declaration}, and run `pgplumb plan --target main` with DATABASE_URL set\n",
        files.len(),
        if files.len() == 1 { "file" } else { "files" }
    ))?;
    Ok(Outcome::Agreement)
}
