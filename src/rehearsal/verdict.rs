//! Whether a trial led where it should. Models are compared as everywhere; what the plan does not touch must be what
//! it was, as this server prints it.

use super::failure::{holds_data, Failure};
use super::trial::Known;
use super::{Stop, Tried};
use crate::diff::diff;
use crate::kinds::{self, facet, Hazard};
use crate::model::{Address, Model, Node};
use crate::plan::rename::{moved, under_old_names};
use std::collections::{BTreeMap, BTreeSet};

const WAY_BACK: &str = "its way back does not lead back";

/// The result is what is desired of what was rebuilt.
pub fn reached(start: &Model, result: &Model, known: &Known<'_>) -> Tried<()> {
    let (draft, part) = (known.draft, known.part);
    let renamed = |model: &Model| {
        let major = draft.plan.reads.major;
        draft.renames.iter().fold(model.clone(), |model, (from, to)| moved(&model, from, to, major))
    };
    let of_part = |model: &Model| Model::new(part.after.iter().filter_map(|a| model.get(a)).cloned().collect());
    let (was, after) = (renamed(start), of_part(&draft.after));
    let desired = match draft.renames.is_empty() {
        true => of_part(known.subject.desired),
        false => under_old_names(&of_part(known.subject.desired)),
    };
    let changed = specs(&renamed(&part.model), &desired);
    let (from_was, from_after, from_desired) = (specs(result, &was), specs(result, &after), specs(result, &desired));

    let mut wrong = Vec::new();
    let addresses: BTreeSet<&Address> =
        [result, &after, &was].into_iter().flat_map(Model::nodes).map(|n| &n.address).collect();
    for address in addresses {
        let (found, expected) = match (result.get(address), draft.after.get(address)) {
            (None, None) => continue,
            // A reference row that could not be made in the first place.
            (None, Some(node))
                if holds_data(&node.address) && was.get(address).is_none() && !created(address, known) =>
            {
                continue
            }
            (None, Some(_)) => {
                wrong.push((address, "it is not there".to_owned()));
                continue;
            }
            (Some(_), None) => {
                wrong.push((address, "it is there".to_owned()));
                continue;
            }
            (Some(found), Some(expected)) => (found, expected),
        };
        let touched = draft.touched.contains(address);
        let stays = !touched || !changed.contains(address);
        let as_it_was = stays && was.get(address).is_some() && !from_was.contains(address);
        if from_after.contains(address) && from_desired.contains(address) && !as_it_was {
            wrong.push((address, spec_words(found, desired.get(address).unwrap_or(expected))));
        }
        let mut facets = was.get(address).filter(|_| !touched).unwrap_or(expected).clone();
        if kinds::kind_of(address).follows_owner(&facets) {
            facets.owner = None;
        }
        if facet::differ(found, &facets) {
            wrong.push((address, facet_words(found, &facets)));
        }
    }
    ended(wrong, "its result is not what is desired")
}

/// The way back has led to where the plan began.
pub fn returned(start: &Model, result: &Model) -> Tried<()> {
    let mut wrong = Vec::new();
    for delta in diff(result, start) {
        match (delta.old, delta.new) {
            (Some(found), Some(was)) if delta.spec => wrong.push((&was.address, spec_words(found, was))),
            (Some(found), Some(was)) => wrong.push((&was.address, facet_words(found, was))),
            (Some(found), None) => wrong.push((&found.address, "it is there".to_owned())),
            (None, Some(was)) => wrong.push((&was.address, "it is not there".to_owned())),
            (None, None) => {}
        }
    }
    ended(wrong, WAY_BACK)
}

/// No table that the plan changes has fewer rows than before, but for those that it says it deletes. Gives in words where
/// else rows went: what it does to rows fires triggers.
pub fn kept(
    before: &BTreeMap<u32, (Address, i64)>,
    after: &BTreeMap<u32, (Address, i64)>,
    known: &Known<'_>,
) -> Tried<Vec<String>> {
    let (mut wrong, mut elsewhere) = (Vec::new(), Vec::new());
    let changes = |table: &Address| known.draft.touched.iter().any(|address| address.is_within(table));
    let loses = |step: &&crate::plan::Step| step.hazards.iter().any(|note| note.hazard == Hazard::DataLoss);
    let deletes = known.draft.plan.steps().filter(loses).any(|step| !step.data.is_empty());
    for (oid, (address, had)) in before {
        match after.get(oid) {
            Some((_, has)) if has < had && !changes(address) => {
                elsewhere.push(format!("triggers take rows from {address}: of {had} made-up ones {has} are left"));
            }
            Some((_, has)) if has < had && !deletes => wrong.push((address, format!("of {had} rows {has} are left"))),
            None if !known.draft.plan.steps().filter(loses).any(|step| step.at == address.path()) => {
                wrong.push((address, "it is gone, and the plan does not say so".to_owned()));
            }
            Some(_) | None => {}
        }
    }
    ended(wrong, "it loses rows")?;
    Ok(elsewhere)
}

/// Addresses at which specs differ, where both models have one.
fn specs(found: &Model, wanted: &Model) -> BTreeSet<Address> {
    diff(found, wanted).into_iter().filter(|d| d.spec).filter_map(|d| d.node()).map(|n| n.address.clone()).collect()
}

fn created(address: &Address, known: &Known<'_>) -> bool {
    known.subject.live.model.get(address).is_none()
}

fn spec_words(found: &Node, wanted: &Node) -> String {
    if holds_data(&found.address) {
        return "its values are others".into();
    }
    format!("it is {}, not {}", found.spec.as_json(), wanted.spec.as_json())
}

fn facet_words(found: &Node, wanted: &Node) -> String {
    let mut words = Vec::new();
    if wanted.owner.is_some() && wanted.owner != found.owner {
        let name = |node: &Node| node.owner.as_deref().unwrap_or("nobody").to_owned();
        words.push(format!("it belongs to {}, not {}", name(found), name(wanted)));
    }
    if wanted.comment != found.comment {
        words.push("its comment is another".to_owned());
    }
    if wanted.grants.is_some() && wanted.grants != found.grants {
        let list = |node: &Node| serde_json::to_string(&node.grants).unwrap_or_default();
        words.push(format!("its grants are {}, not {}", list(found), list(wanted)));
    }
    words.join("; ")
}

fn ended(wrong: Vec<(&Address, String)>, what: &str) -> Tried<()> {
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Stop::Failed(Box::new(Failure::elsewhere(what, wrong, what == WAY_BACK))))
}
