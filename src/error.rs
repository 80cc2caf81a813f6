//! What can go wrong, and what it means for the exit status.
//!
//! Two families: the user's mistakes in a declaration are [`Problem`]s, collected and shown
//! together at file:line:column; the world's failures are one [`Error`] that stops the run. Both
//! name the thing and, where there is one, the fix. Messages are lower case without a final period.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_postgres::error::{DbError, SqlState};

/// Where in a declaration something was written: a file with line and column, both from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pos {
    pub file: Arc<PathBuf>,
    pub line: u32,
    pub column: u32,
}

impl fmt::Display for Pos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// A mistake in a declaration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub pos: Pos,
    pub message: String,
    pub hint: Option<String>,
}

impl Problem {
    pub fn new(pos: &Pos, message: impl Into<String>) -> Self {
        Self { pos: pos.clone(), message: message.into(), hint: None }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pos, self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// What stopped the run.
#[derive(Debug)]
pub enum Error {
    /// Mistakes in the declaration, all that one run found.
    Declaration(Vec<Problem>),
    /// A refusal or failure with its cause in words and, where there is one, what to do.
    Failed { message: String, hint: Option<String> },
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), hint: None }
    }

    /// What went wrong, without the hint.
    pub fn message(&self) -> String {
        match self {
            Self::Failed { message, hint: _ } => message.clone(),
            Self::Declaration(_) => self.to_string(),
        }
    }

    /// All of it in one line without an end, for the middle of a text. What was not read from a file has no place.
    pub fn line(&self) -> String {
        let one = |place: String, message: &str, hint: &Option<String>| {
            let hint = hint.as_ref().map(|hint| format!(" ({})", hint.trim_end_matches('.'))).unwrap_or_default();
            format!("{place}{}{hint}", message.trim_end_matches('.')).split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let place = |pos: &Pos| if pos.file.as_os_str().is_empty() { String::new() } else { format!("{pos}: ") };
        match self {
            Self::Failed { message, hint } => one(String::new(), message, hint),
            Self::Declaration(problems) => {
                problems.iter().map(|p| one(place(&p.pos), &p.message, &p.hint)).collect::<Vec<_>>().join("; ")
            }
        }
    }

    /// Adds what the user can do about it.
    pub fn with_hint(self, text: impl Into<String>) -> Self {
        match self {
            Self::Failed { message, hint: _ } => Self::Failed { message, hint: Some(text.into()) },
            Self::Declaration(problems) => Self::Declaration(problems),
        }
    }

    /// Adds a hint where there is none yet.
    pub fn with_hint_if_none(self, text: impl Into<String>) -> Self {
        match self {
            Self::Failed { message, hint: None } => Self::Failed { message, hint: Some(text.into()) },
            other => other,
        }
    }

    /// Says what was being done when it failed: `doing: message`.
    pub fn while_(self, doing: impl fmt::Display) -> Self {
        match self {
            Self::Failed { message, hint } => Self::Failed { message: format!("{doing}: {message}"), hint },
            Self::Declaration(problems) => Self::Declaration(problems),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declaration(problems) => {
                for (i, problem) in problems.iter().enumerate() {
                    if i > 0 {
                        writeln!(f)?;
                    }
                    write!(f, "{problem}")?;
                }
                Ok(())
            }
            Self::Failed { message, hint } => {
                write!(f, "{message}")?;
                if let Some(hint) = hint {
                    write!(f, "\n  hint: {hint}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(db) => {
                let mut message = format!("{} ({})", db.message(), db.code().code());
                if let Some(detail) = db.detail() {
                    message.push_str(&format!("; {detail}"));
                }
                // Nothing is ever dropped with what depends on it, so nobody is told to.
                let hint = db.hint().filter(|hint| !hint.contains("CASCADE"));
                let hint = if lacks_path(db) { Some(LACKS_PATH) } else { hint };
                Self::Failed { message, hint: hint.map(str::to_owned) }
            }
            None => {
                use std::error::Error as _;
                let mut message = error.to_string();
                if let Some(source) = error.source() {
                    message = format!("{message}: {source}");
                }
                Self::new(message)
            }
        }
    }
}

const LACKS_PATH: &str = "a function finds what it names without a schema where `set: { search_path: ... }` of its own \
                          says; backfills, reference rows and VALIDATE also have the `search_path` at the top of the declaration";

/// Whether a function that was being run named something that was not found, without a schema.
fn lacks_path(error: &DbError) -> bool {
    let codes = [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_FUNCTION, SqlState::UNDEFINED_OBJECT];
    let runs = |place: &str| {
        let sql = place.starts_with("SQL function") && [" statement ", " during "].iter().any(|w| place.contains(w));
        sql || place.starts_with("PL/pgSQL function")
    };
    let name = error.message().trim_end_matches(" does not exist");
    codes.contains(error.code()) && error.where_().is_some_and(|place| place.lines().any(runs)) && !name.contains('.')
}

#[cfg(test)]
mod tests {
    use super::{Error, Pos, Problem};
    use std::path::PathBuf;
    use std::sync::Arc;

    #[test]
    fn an_error_fits_into_a_line() {
        let failed = Error::new("no such function").with_hint("You might need\nto cast.");
        assert_eq!(failed.line(), "no such function (You might need to cast)");
        let pos = |file: &str| Pos { file: Arc::new(PathBuf::from(file)), line: 1, column: 2 };
        let problems = vec![Problem::new(&pos("a.yaml"), "one"), Problem::new(&pos(""), "two").hint("three")];
        assert_eq!(Error::Declaration(problems).line(), "a.yaml:1:2: one; two (three)");
    }
}
