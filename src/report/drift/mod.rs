//! Drift: what differs, what could not be checked, what is worth knowing.

mod human;
mod json;
mod junit;
mod markdown;
mod value;

use super::text::count;
use crate::drift::{Difference, Drift};
use crate::kinds::{find, rank, Many};
use std::collections::BTreeMap;

/// How drift is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftFormat {
    Human,
    Json,
    Junit,
    Markdown,
}

impl DriftFormat {
    pub const ALL: [Self; 4] = [Self::Human, Self::Json, Self::Junit, Self::Markdown];

    /// The word on the command line, and what it is for.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Human => ("human", "For a terminal"),
            Self::Json => ("json", "For programs"),
            Self::Junit => ("junit", "For the test reports of CI servers: a case for each relation, routine and type"),
            Self::Markdown => ("markdown", "For a pull request or an issue"),
        }
    }
}

/// What was compared with what.
#[derive(Clone, Debug)]
pub struct DriftSubject {
    pub declaration: String,
    pub database: String,
    /// The server's version.
    pub server: String,
}

/// The text of a comparison's outcome.
pub fn drift(drift: &Drift, subject: &DriftSubject, format: DriftFormat, color: bool) -> String {
    match format {
        DriftFormat::Human => human::text(drift, subject, color),
        DriftFormat::Json => json::text(drift, subject),
        DriftFormat::Junit => junit::text(drift, subject),
        DriftFormat::Markdown => markdown::text(drift, subject),
    }
}

/// `2 missing, 1 extra, 3 changed`.
fn counts(drift: &Drift) -> String {
    use crate::drift::Change::{Changed, Extra, Missing};
    let parts = [Missing, Extra, Changed].map(|change| (drift.count(change), change.word()));
    let words: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    words.join(", ")
}

/// Differences as people read them: thing by thing, and in it columns before keys before policies.
fn ordered(drift: &Drift) -> Vec<&Difference> {
    let mut all: Vec<&Difference> = drift.differences.iter().collect();
    all.sort_by_cached_key(|d| (d.address.thing(), rank(d.address.kind()), d.address.clone()));
    all
}

/// What is not known, in numbers: `2 not checked, 1 undecided`.
fn unknown(drift: &Drift) -> String {
    let parts = [(drift.notes.not_checked.len(), "not checked"), (drift.undecided.len(), "undecided")];
    let words: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    words.join(", ")
}

/// The title of what is undecided.
const UNDECIDED: &str = "Undecided: these texts differ and may mean the same, which only a scratch server can tell";

/// What falls with a parent: `12 columns, 1 primary key, row security`.
fn numbers(below: &BTreeMap<String, usize>) -> String {
    let mut kinds: Vec<(&String, &usize)> = below.iter().collect();
    kinds.sort_by_key(|(kind, _)| rank(kind));
    let one = |(kind, n): (&String, &usize)| if is_single(kind) { kind.clone() } else { count(*n, kind) };
    kinds.into_iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Whether a thing has at most one of that kind, which then needs no number.
fn is_single(kind: &str) -> bool {
    find(kind).is_some_and(|kind| !kind.sections().is_empty() && kind.sections().iter().all(|s| s.many == Many::One))
}

/// Notes as title, explanation and lines; those without a line are left out.
fn notes(drift: &Drift) -> Vec<(&'static str, Vec<String>)> {
    let crate::drift::Notes { not_checked, undeclared_grants, foreign_grants, not_managed } = &drift.notes;
    let undeclared = undeclared_grants.iter().map(|grants| {
        let each = grants.held.iter().map(|(role, held)| match held.as_slice() {
            [] => format!("nothing to {role}, who has it by default"),
            held => format!("{} to {role}", held.join(", ")),
        });
        format!("{}: {}", grants.address, each.collect::<Vec<_>>().join("; "))
    });
    let foreign = foreign_grants.iter().map(|(address, grant)| format!("{address}: {grant}"));
    let all = [
        ("Not checked: whether these agree is not known", not_checked.clone()),
        ("Grants that the declaration says nothing of (no drift; `grants:` would manage them)", undeclared.collect()),
        ("Grants made by another role than the owner (only that role can take them back)", foreign.collect()),
        ("Not managed: of kinds that are left alone", not_managed.clone()),
    ];
    all.into_iter().filter(|(_, lines)| !lines.is_empty()).collect()
}
