//! Identity columns: GENERATED ... AS IDENTITY with its sequence.

use crate::sql::{name, Ident};
use serde::{Deserialize, Serialize};

/// An identity; options are None where they are what PostgreSQL chooses itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// ALWAYS, else BY DEFAULT.
    pub always: bool,
    /// Sequence options in SQL, such as `START WITH 10`; empty for the defaults.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub options: String,
    /// The sequence's name if it is not the derived one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<String>,
}

impl Identity {
    /// `GENERATED ALWAYS AS IDENTITY (...)`.
    pub fn clause(&self) -> String {
        let Self { always, options, sequence } = self;
        let when = if *always { "ALWAYS" } else { "BY DEFAULT" };
        let mut inside = options.clone();
        if let Some(sequence) = sequence {
            inside = format!("SEQUENCE NAME {} {inside}", Ident(sequence)).trim_end().to_owned();
        }
        if inside.is_empty() {
            format!("GENERATED {when} AS IDENTITY")
        } else {
            format!("GENERATED {when} AS IDENTITY ({inside})")
        }
    }

    /// From the catalog: `when` is `pg_attribute.attidentity`; `options` are start, increment, minimum,
    /// maximum, cache, cycle, type and name of the sequence, separated by spaces.
    pub fn read(when: &str, options: Option<&str>, table: &str, column: &str) -> Self {
        let mut identity = Self { always: when == "a", ..Self::default() };
        let Some(options) = options else { return identity };
        let mut parts = options.splitn(8, ' ');
        let mut next = || parts.next().unwrap_or_default();
        let (start, increment, min, max, cache, cycle, ty, sequence) =
            (next(), next(), next(), next(), next(), next(), next(), next());
        identity.options = super::super::sequence::options(start, increment, min, max, cache, cycle == "1", ty);
        let derived = name::derive(table, column, "seq", &|_| false);
        identity.sequence = (sequence != derived).then(|| sequence.to_owned());
        identity
    }
}
