//! A plan for programs: the plan file as it is, and what follows from it. The form is stable: keys are
//! only added within a version of the plan format.

use super::super::text;
use super::review::{flags, locks, one_way, risks, Counts, Locked, OneWay, Risk};
use super::Way;
use crate::kinds::Hazard;
use crate::plan::{Allowed, Plan};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    way: Way,
    counts: Counts,
    hazards: BTreeMap<Hazard, Vec<Risk>>,
    locks: Vec<Locked>,
    no_way_back: Vec<OneWay>,
    needs_leave: NeedsLeave,
}

#[derive(Serialize)]
struct NeedsLeave {
    hazards: Vec<Allowed>,
    options: Vec<String>,
}

pub fn text(plan: &Plan, way: Way) -> String {
    text::json(&Report {
        plan,
        way,
        counts: Counts::of(plan),
        hazards: risks(plan),
        locks: locks(plan),
        no_way_back: one_way(plan),
        needs_leave: NeedsLeave { hazards: plan.not_allowed(), options: flags(plan) },
    })
}
