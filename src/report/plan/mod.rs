//! Plans: what is done, in which order and transactions, and what is dangerous about it.

mod human;
mod json;
mod markdown;
mod review;
mod sql;

use crate::plan::{Batch, Plan};

/// How a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanFormat {
    Human,
    Sql,
    Markdown,
    Json,
}

impl PlanFormat {
    pub const ALL: [Self; 4] = [Self::Human, Self::Sql, Self::Markdown, Self::Json];

    /// The word on the command line, and what it is for.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Human => ("human", "For a terminal"),
            Self::Sql => ("sql", "A script for psql"),
            Self::Markdown => ("markdown", "For a pull request"),
            Self::Json => ("json", "For programs"),
        }
    }
}

/// Which way a plan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Way {
    There,
    Back,
}

impl Way {
    fn title(self) -> &'static str {
        match self {
            Self::There => "Plan",
            Self::Back => "Way back",
        }
    }

    /// The command that runs it.
    fn runs(self) -> &'static str {
        match self {
            Self::There => "pgplumb apply",
            Self::Back => "pgplumb rollback",
        }
    }

    /// The command that takes `--allow`.
    fn allows(self) -> &'static str {
        match self {
            Self::There => "pgplumb plan",
            Self::Back => "pgplumb rollback",
        }
    }
}

/// The text of a plan.
pub fn plan(plan: &Plan, format: PlanFormat, color: bool) -> String {
    view(plan, Way::There, format, color)
}

/// The text of the way back of a plan: the last transaction is undone first.
pub fn way_back(plan: &Plan, format: PlanFormat, color: bool) -> String {
    view(&back(plan), Way::Back, format, color)
}

fn view(plan: &Plan, way: Way, format: PlanFormat, color: bool) -> String {
    match format {
        PlanFormat::Human => human::text(plan, way, color),
        PlanFormat::Sql => sql::text(plan, way),
        PlanFormat::Markdown => markdown::text(plan, way),
        PlanFormat::Json => json::text(plan, way),
    }
}

fn back(plan: &Plan) -> Plan {
    let mut back = plan.clone();
    back.findings.clear();
    back.not_checked.clear();
    back.allowed.clear();
    back.batches = Vec::new();
    for Batch { locks: _, steps: _, undo, no_undo } in plan.batches.iter().rev() {
        back.batches.extend(undo.iter().cloned());
        back.not_checked.extend(no_undo.clone());
    }
    back.summary = review::Counts::of(&back).words();
    back
}
