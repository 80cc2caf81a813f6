//! A plan for pull requests: first what matters, then each transaction.

use super::super::name::split;
use super::super::text::{block, cell, code, count, lines, prose};
use super::review::{flags, locks, meaning, numbered, one_way, ranges, rehearsal, risks, title, Counts};
use super::sql::heading;
use super::Way;
use crate::plan::{Finding, Plan};
use std::fmt::Write;

pub fn text(plan: &Plan, way: Way) -> String {
    let mut out = String::new();
    let target = &plan.target;
    let on = format!(
        "{} (PostgreSQL {}, as {})",
        code(&target.identity.database),
        prose(&target.server),
        code(&target.role)
    );
    if plan.is_empty() {
        let _ = writeln!(out, "## In agreement\n\nNothing to do on {on}.");
    } else {
        let tried = rehearsal(plan).map(|(_, words)| format!(" {}.", prose(&words))).unwrap_or_default();
        let _ = writeln!(out, "## {}: {}\n\nOn {on}.{tried}\n", way.title(), Counts::of(plan).sentence());
        summary(&mut out, plan);
    }
    weigh(&mut out, plan, way);
    let total = plan.batches.len();
    for (n, (batch, steps)) in numbered(plan).into_iter().enumerate() {
        let _ = writeln!(out, "\n### {}\n", title(batch, n, total));
        let mut script = String::new();
        for (at, step) in steps.iter().enumerate() {
            let gap = if at == 0 { "" } else { "\n" };
            let _ = writeln!(script, "{gap}{}", heading(step.number, step.step));
            for sql in &step.step.sql {
                let _ = writeln!(script, "{};", lines(sql));
            }
        }
        let _ = writeln!(
            out,
            "<details><summary>{}</summary>\n\n{}\n</details>",
            count(steps.len(), "step"),
            block("sql", &script)
        );
    }
    out
}

/// Steps by thing, in the order of the plan.
fn summary(out: &mut String, plan: &Plan) {
    let mut things: Vec<(String, Counts)> = Vec::new();
    for step in plan.steps() {
        let (thing, _) = split(&step.at, &step.address);
        match things.iter_mut().find(|(name, _)| *name == thing) {
            Some((_, counts)) => counts.add(step),
            None => {
                let mut counts = Counts::default();
                counts.add(step);
                things.push((thing, counts));
            }
        }
    }
    out.push_str("| | create | change | rename | drop |\n|---|--:|--:|--:|--:|\n");
    for (thing, counts) in things {
        let Counts { create, change, rename, drop, steps: _, transactions: _ } = counts;
        let numbers = [create, change, rename, drop].map(|n| if n == 0 { " ".to_owned() } else { format!(" {n} ") });
        let _ = writeln!(out, "| {} |{}|", cell(&thing), numbers.join("|"));
    }
}

fn weigh(out: &mut String, plan: &Plan, way: Way) {
    if !plan.findings.is_empty() {
        out.push_str("\n### It would fail as things are\n\n");
    }
    for Finding { address, text, rows: _, examples } in &plan.findings {
        let examples = examples.iter().map(|e| code(e)).collect::<Vec<_>>().join(", ");
        let such = if examples.is_empty() { String::new() } else { format!(", such as {examples}") };
        let _ = writeln!(out, "- {}: {}{such}", code(address), prose(text));
    }
    let risks = risks(plan);
    if !risks.is_empty() {
        out.push_str("\n### Hazards\n\n| hazard | at | why | leave |\n|---|---|---|---|\n");
    }
    for (hazard, risk) in risks.iter().flat_map(|(hazard, list)| list.iter().map(move |risk| (hazard, risk))) {
        let leave = match (risk.needs_leave, risk.allowed) {
            (true, false) => "**not allowed yet**",
            (true, true) => "allowed",
            (false, _) => "not needed",
        };
        let why = prose(&risk.why.join("; "));
        let _ = writeln!(
            out,
            "| **{}**: {} | {} | {why} | {leave} |",
            hazard.word(),
            meaning(*hazard),
            cell(&risk.address)
        );
    }
    let flags = flags(plan);
    if !flags.is_empty() {
        let _ = write!(
            out,
            "\nTo allow what is not allowed yet, `{}` takes:\n\n{}",
            way.allows(),
            block("sh", &flags.join(" \\\n"))
        );
    }
    let locks = locks(plan);
    if !locks.is_empty() {
        out.push_str("\n### Locks on tables with rows\n\n| table | lock | blocks | steps |\n|---|---|---|---|\n");
    }
    for lock in locks {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            cell(&lock.relation),
            lock.lock.sql(),
            lock.blocks,
            ranges(&lock.steps)
        );
    }
    let one_way = one_way(plan);
    if !one_way.is_empty() {
        out.push_str("\n### No way back\n\n");
    }
    for thing in one_way {
        let _ = writeln!(out, "- {}: {}", code(&thing.what), prose(&thing.why));
    }
    if !plan.not_checked.is_empty() {
        out.push_str("\n### Not checked\n\n");
    }
    for text in &plan.not_checked {
        let _ = writeln!(out, "- {}", prose(text));
    }
}
