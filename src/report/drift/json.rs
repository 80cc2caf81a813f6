//! Drift for programs. The form is stable: keys are only added within a version.

use super::super::text;
use super::DriftSubject;
use crate::drift::{Change, Difference, Drift, Field, Notes, Open, UndeclaredGrants};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The version of the form.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Report<'a> {
    pgplumb_drift: u32,
    declaration: &'a str,
    database: &'a str,
    server: &'a str,
    /// `agreement`, `differences`, or `undecided` where nothing differs but not all could be checked.
    outcome: &'static str,
    counts: Counts,
    differences: Vec<OneDifference<'a>>,
    undecided: Vec<OneOpen<'a>>,
    not_checked: &'a [String],
    undeclared_grants: Vec<OneGrant<'a>>,
    foreign_grants: Vec<ForeignGrant<'a>>,
    not_managed: &'a [String],
}

#[derive(Serialize)]
struct Counts {
    compared: usize,
    missing: usize,
    extra: usize,
    changed: usize,
    undecided: usize,
    not_checked: usize,
}

#[derive(Serialize)]
struct OneOpen<'a> {
    address: String,
    at: String,
    kind: &'a str,
    fields: Vec<OneField<'a>>,
    why: &'a str,
}

#[derive(Serialize)]
struct OneDifference<'a> {
    address: String,
    at: String,
    kind: &'a str,
    change: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<OneField<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    below: &'a BTreeMap<String, usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    was: Option<String>,
}

#[derive(Serialize)]
struct OneField<'a> {
    field: &'a str,
    declared: &'a Option<Value>,
    live: &'a Option<Value>,
}

#[derive(Serialize)]
struct OneGrant<'a> {
    address: String,
    at: String,
    held: &'a BTreeMap<String, Vec<String>>,
}

#[derive(Serialize)]
struct ForeignGrant<'a> {
    address: String,
    at: String,
    grant: &'a str,
}

pub fn text(drift: &Drift, subject: &DriftSubject) -> String {
    let DriftSubject { declaration, database, server } = subject;
    let Drift { differences, undecided, things: _, compared, notes } = drift;
    let Notes { not_checked, undeclared_grants, foreign_grants, not_managed } = notes;
    let outcome = match (drift.is_empty(), drift.is_whole()) {
        (false, _) => "differences",
        (true, false) => "undecided",
        (true, true) => "agreement",
    };
    let counts = Counts {
        compared: *compared,
        missing: drift.count(Change::Missing),
        extra: drift.count(Change::Extra),
        changed: drift.count(Change::Changed),
        undecided: undecided.len(),
        not_checked: not_checked.len(),
    };
    let grant = |grants: &'_ UndeclaredGrants| (grants.address.to_string(), grants.address.path());
    text::json(&Report {
        pgplumb_drift: FORMAT,
        declaration,
        database,
        server,
        outcome,
        counts,
        differences: differences.iter().map(one).collect(),
        undecided: undecided.iter().map(one_open).collect(),
        not_checked,
        undeclared_grants: undeclared_grants
            .iter()
            .map(|grants| {
                let (address, at) = grant(grants);
                OneGrant { address, at, held: &grants.held }
            })
            .collect(),
        foreign_grants: foreign_grants
            .iter()
            .map(|(address, grant)| ForeignGrant { address: address.to_string(), at: address.path(), grant })
            .collect(),
        not_managed,
    })
}

fn one_open(open: &Open) -> OneOpen<'_> {
    let OneDifference { address, at, kind, change: _, fields, below: _, was: _ } = one(&open.difference);
    OneOpen { address, at, kind, fields, why: &open.why }
}

fn one(difference: &Difference) -> OneDifference<'_> {
    let Difference { address, change, fields, below, was } = difference;
    OneDifference {
        address: address.to_string(),
        at: address.path(),
        kind: address.kind(),
        change: change.word(),
        fields: fields.iter().map(|Field { name, declared, live }| OneField { field: name, declared, live }).collect(),
        below,
        was: was.as_ref().map(ToString::to_string),
    }
}
