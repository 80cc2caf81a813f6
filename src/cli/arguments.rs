//! Arguments that commands share, and what they mean.

use super::settings::Project;
use super::Terminal;
use crate::apply::Options;
use crate::catalog::connect::Target;
use crate::compile::{lock, Place};
use crate::engine::{Choices, Desired};
use crate::error::{Error, Result};
use crate::plan::Plan;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// What every command gets.
pub struct Env<'a> {
    pub terminal: &'a Terminal,
    pub project: &'a Project,
}

/// The environment variables of the process.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Which database.
#[derive(clap::Args)]
pub struct TargetArgs {
    /// The database: postgres://user@host:port/database?sslmode=..., or key=value pairs. Without it
    /// DATABASE_URL and the PG* variables count; passwords can stand in ~/.pgpass.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A target named in pgplumb.yaml.
    #[arg(long, value_name = "NAME", conflicts_with = "url")]
    target: Option<String>,
}

impl TargetArgs {
    /// Whether the command line names a target.
    pub fn is_named(&self) -> bool {
        self.url.is_some() || self.target.is_some()
    }

    /// The name of the target in pgplumb.yaml, if it was named so.
    pub fn name(&self) -> Option<&str> {
        self.target.as_deref()
    }

    pub fn resolve(&self, env: &Env) -> Result<Target> {
        let url = match (&self.url, &self.target) {
            (Some(url), _) => Some(url.clone()),
            (None, Some(name)) => Some(env.project.target_url(name, &variable)?),
            (None, None) => variable("DATABASE_URL").filter(|u| !u.is_empty()),
        };
        Target::resolve(url.as_deref(), &variable)
    }
}

/// Which declaration.
#[derive(clap::Args)]
pub struct DeclarationArgs {
    /// The declaration: a file or a directory of YAML files. By default what pgplumb.yaml says, else `schema`.
    #[arg(value_name = "DIR")]
    pub declaration: Option<PathBuf>,
}

impl DeclarationArgs {
    pub fn path(&self, env: &Env) -> PathBuf {
        self.declaration.clone().unwrap_or_else(|| env.project.declaration())
    }
}

/// Where to compile.
#[derive(clap::Args)]
pub struct ScratchArgs {
    /// Where to compile: `local` (a server that pgplumb starts itself), a directory with PostgreSQL's
    /// binaries, the URL of a server where it may create databases, or `target`.
    #[arg(long, value_name = "WHERE")]
    scratch: Option<String>,
    /// Use the lock only: fail if it is stale.
    #[arg(long)]
    pub locked: bool,
}

impl ScratchArgs {
    /// The place; `target` is the database that the command is about.
    pub fn place(&self, env: &Env, target: Option<&Target>) -> Result<Place> {
        let setting = env.project.scratch();
        let (word, why) = match (&self.scratch, setting) {
            (Some(word), _) => (Some(word.clone()), "--scratch says so"),
            (None, Some(word)) => (Some(word), "`scratch` in pgplumb.yaml says so"),
            (None, None) => (None, "neither --scratch nor `scratch` in pgplumb.yaml says otherwise"),
        };
        let place = Self::place_of(word.as_deref(), target)?;
        let words = match (&place, word.as_deref()) {
            (Place::Local(None, _), _) => "a server of its own, from binaries installed here".to_owned(),
            (Place::Local(Some(path), _), _) => format!("a server of its own, from binaries in {}", path.display()),
            (Place::Server(target), Some("target")) => {
                format!("databases of its own beside the target, at {}", target.host_label())
            }
            (Place::Server(target), _) => format!("databases of its own at {}", target.host_label()),
        };
        env.terminal.detail(&format!("scratch, if it is needed: {words}, because {why}"));
        Ok(place)
    }

    fn place_of(word: Option<&str>, target: Option<&Target>) -> Result<Place> {
        match word {
            None | Some("local") => Ok(Place::local(None)),
            Some("target") => match target {
                Some(target) => Ok(Place::Server(Box::new(target.clone()))),
                None => {
                    Err(Error::new("`--scratch target` needs a target").with_hint("name it with --url or --target"))
                }
            },
            Some(word) if word.contains("://") || word.contains('=') => {
                Ok(Place::Server(Box::new(Target::resolve(Some(word), &variable)?)))
            }
            Some(word) if Path::new(word).is_dir() => Ok(Place::local(Some(PathBuf::from(word)))),
            Some(word) => Err(Error::new(format!("`{word}` is no place for scratch"))
                .with_hint("say `local`, a directory with PostgreSQL's binaries, a URL, or `target`")),
        }
    }
}

/// The choices of a run.
pub fn choices<'a>(
    declaration: PathBuf,
    scratch: Place,
    target: Option<&'a Target>,
    locked: bool,
    progress: &'a dyn Fn(&str),
) -> Choices<'a> {
    Choices { declaration, scratch, target, locked, env: &variable, progress }
}

/// Waits until the lock is written, and says so if it had to be.
pub fn wrote_lock(desired: &mut Desired, choices: &Choices) {
    if desired.lock.finish(choices.progress) {
        (choices.progress)(&format!("wrote {}", lock::path_of(&choices.declaration).display()));
    }
}

/// How a plan is run.
#[derive(clap::Args)]
pub struct RunArgs {
    /// Do not ask.
    #[arg(long, short = 'y')]
    yes: bool,
    /// How long a batch waits for a lock before it steps back and tries again.
    #[arg(long, value_name = "DURATION")]
    lock_timeout: Option<String>,
    /// How often a batch is tried.
    #[arg(long, value_name = "N")]
    attempts: Option<u32>,
}

impl RunArgs {
    /// Asks a person; refuses where nobody can be asked.
    pub fn confirm(&self, env: &Env, what: &str) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            return Err(Error::new("nobody is there to confirm").with_hint("add --yes to run without being asked"));
        }
        env.terminal.ask(&format!("{what}\nRun it? Type yes: "))?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map_err(|e| Error::new(format!("cannot read the answer: {e}")))?;
        if answer.trim() == "yes" {
            Ok(())
        } else {
            Err(Error::new("not confirmed: nothing was done"))
        }
    }

    pub fn options<'a>(
        &'a self,
        env: &'a Env,
        named: &'a TargetArgs,
        target: &'a Target,
        progress: &'a dyn Fn(&str),
    ) -> Options<'a> {
        Options {
            target,
            never: env.project.never(named.name()),
            lock_timeout: self.lock_timeout.as_deref().or(env.project.lock_timeout()).unwrap_or("3s"),
            attempts: self.attempts.or(env.project.attempts()).unwrap_or(10).max(1),
            progress,
        }
    }
}

/// Reads a plan file and checks its seal.
pub fn read_plan(path: &Path) -> Result<Plan> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        Error::new(format!("cannot read the plan {}: {e}", path.display()))
            .with_hint("`pgplumb plan --out FILE` writes one")
    })?;
    Plan::read(&text, &path.display().to_string())
}
