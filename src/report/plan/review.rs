//! What a reviewer wants to know of a plan, drawn together from its steps.

use super::super::text::{count, line};
use crate::kinds::{Hazard, Lock};
use crate::plan::{Batch, Plan, Rehearsal, Rehearsed, Step};
use serde::Serialize;
use std::collections::BTreeMap;

/// How many steps of which sort.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Counts {
    pub create: usize,
    pub change: usize,
    pub rename: usize,
    pub drop: usize,
    pub steps: usize,
    pub transactions: usize,
}

impl Counts {
    pub fn of(plan: &Plan) -> Self {
        let mut counts = Self { transactions: plan.batches.len(), ..Self::default() };
        plan.steps().for_each(|step| counts.add(step));
        counts
    }

    pub fn add(&mut self, step: &Step) {
        self.steps += 1;
        match step.verb.as_str() {
            "create" => self.create += 1,
            "rename" => self.rename += 1,
            "drop" => self.drop += 1,
            _ => self.change += 1,
        }
    }

    /// `3 to create, 2 to change`.
    pub fn words(&self) -> String {
        let parts = [(self.create, "create"), (self.change, "change"), (self.rename, "rename"), (self.drop, "drop")];
        let words: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} to {what}")).collect();
        words.join(", ")
    }

    /// `3 to create, 2 to change in 2 transactions`.
    pub fn sentence(&self) -> String {
        format!("{} in {}", self.words(), count(self.transactions, "transaction"))
    }
}

/// A step with its place in the order of the whole plan, from 1.
pub struct Numbered<'a> {
    pub number: usize,
    pub step: &'a Step,
}

/// The batches with numbered steps.
pub fn numbered(plan: &Plan) -> Vec<(&Batch, Vec<Numbered<'_>>)> {
    let mut number = 0;
    let mut next = |step| {
        number += 1;
        Numbered { number, step }
    };
    plan.batches.iter().map(|batch| (batch, batch.steps.iter().map(&mut next).collect())).collect()
}

/// One hazard at one address.
#[derive(Debug, Serialize)]
pub struct Risk {
    pub address: String,
    pub why: Vec<String>,
    pub needs_leave: bool,
    pub allowed: bool,
}

/// Hazards with the addresses they may happen at, those that need leave first.
pub fn risks(plan: &Plan) -> BTreeMap<Hazard, Vec<Risk>> {
    let mut risks: BTreeMap<Hazard, Vec<Risk>> = BTreeMap::new();
    for step in plan.steps() {
        for note in &step.hazards {
            let list = risks.entry(note.hazard).or_default();
            let at = list.iter().position(|r| r.address == step.address).unwrap_or_else(|| {
                list.push(Risk {
                    address: step.address.clone(),
                    why: Vec::new(),
                    needs_leave: false,
                    allowed: plan.allowed.iter().any(|a| a.hazard == note.hazard && a.address == step.address),
                });
                list.len() - 1
            });
            let Some(risk) = list.get_mut(at) else { continue };
            risk.needs_leave |= note.needs_leave;
            if !risk.why.contains(&note.why) {
                risk.why.push(note.why.clone());
            }
        }
    }
    risks.values_mut().for_each(|list| list.sort_by(|a, b| a.address.cmp(&b.address)));
    risks
}

/// What a hazard means.
pub fn meaning(hazard: Hazard) -> &'static str {
    match hazard {
        Hazard::DataLoss => "rows, values or whole relations are gone afterwards",
        Hazard::AccessWidened => "somebody may see or change more than before",
        Hazard::BlocksReads => "readers wait for longer than a moment",
        Hazard::BlocksWrites => "writers wait for longer than a moment",
        Hazard::Rewrites => "the table is written anew",
        Hazard::NotInTransaction => "runs outside a transaction: what came before stays if it fails",
        Hazard::MayFailOnData => "rows that are there, or come before it runs, can make it fail",
    }
}

/// The options that allow what is not allowed yet.
pub fn flags(plan: &Plan) -> Vec<String> {
    plan.not_allowed().iter().map(|allowed| line(&allowed.option()).into_owned()).collect()
}

/// Whether it was tried in scratch, and how, in a sentence; None where there is nothing to try.
pub fn rehearsal(plan: &Plan) -> Option<(bool, String)> {
    if plan.is_empty() {
        return None;
    }
    if let Some(why) = plan.why_not_rehearsed() {
        return Some((false, format!("Not rehearsed: {why}")));
    }
    let Some(Rehearsed::On(Rehearsal { server, rows, notes })) = &plan.rehearsed else { return None };
    let notes: String = notes.iter().map(|note| format!("; {note}")).collect();
    Some((true, format!("Rehearsed on {server} with {}{notes}", count(*rows, "made-up row"))))
}

/// The strongest lock on one live relation.
#[derive(Debug, Serialize)]
pub struct Locked {
    /// With its size.
    pub relation: String,
    pub lock: Lock,
    pub blocks: &'static str,
    /// Numbers of the steps that take it.
    pub steps: Vec<usize>,
}

/// Live relations that others have to wait for, the strongest lock first.
pub fn locks(plan: &Plan) -> Vec<Locked> {
    let mut strongest: BTreeMap<&str, (Lock, Vec<usize>)> = BTreeMap::new();
    for Numbered { number, step } in numbered(plan).into_iter().flat_map(|(_, steps)| steps) {
        for relation in &step.on {
            let (lock, steps) = strongest.entry(relation).or_default();
            if step.lock > *lock {
                steps.clear();
                *lock = step.lock;
            }
            if step.lock == *lock {
                steps.push(number);
            }
        }
    }
    let all = strongest.into_iter().map(|(relation, (lock, steps))| Locked {
        relation: relation.to_owned(),
        lock,
        blocks: lock.blocks(),
        steps,
    });
    let mut locks: Vec<Locked> = all.filter(|l| l.blocks != "nothing").collect();
    locks.sort_by(|a, b| b.lock.cmp(&a.lock).then_with(|| a.relation.cmp(&b.relation)));
    locks
}

/// What cannot be undone, and why.
#[derive(Debug, Serialize)]
pub struct OneWay {
    /// An address, or a transaction.
    pub what: String,
    pub why: String,
}

/// Steps and transactions without a way back.
pub fn one_way(plan: &Plan) -> Vec<OneWay> {
    let mut list = Vec::new();
    for (n, batch) in plan.batches.iter().enumerate() {
        list.extend(
            batch.no_undo.iter().map(|why| OneWay { what: format!("transaction {}", n + 1), why: why.clone() }),
        );
        let steps =
            batch.steps.iter().filter_map(|s| Some(OneWay { what: s.address.clone(), why: s.irreversible.clone()? }));
        list.extend(steps);
    }
    list
}

/// `Transaction 1 of 3`.
pub fn title(batch: &Batch, at: usize, total: usize) -> String {
    if batch.outside_transaction() {
        format!("Part {} of {total}, outside a transaction", at + 1)
    } else {
        format!("Transaction {} of {total}", at + 1)
    }
}

/// `1, 2, 5 to 8`.
pub fn ranges(numbers: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for n in numbers {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == *n => *end = *n,
            _ => runs.push((*n, *n)),
        }
    }
    let words = runs.iter().map(|(start, end)| match end - start {
        0 => start.to_string(),
        1 => format!("{start}, {end}"),
        _ => format!("{start} to {end}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_in_words() {
        assert_eq!(super::ranges(&[1, 2, 5, 6, 7, 8, 10]), "1, 2, 5 to 8, 10");
    }
}
