//! A plan as a psql script.

use super::super::text::{count, is_plain, line, lines};
use super::review::{flags, numbered, rehearsal, title, Counts, Numbered};
use super::Way;
use crate::plan::{Plan, Step};
use std::fmt::Write;

/// What `apply` sets on its session and statements may rely on.
const SETTINGS: &str = "\
\\set ON_ERROR_STOP on
SET search_path = '';
SET row_security = off;
SET check_function_bodies = off;
SET standard_conforming_strings = on;
SET client_min_messages = warning;
";

pub fn text(plan: &Plan, way: Way) -> String {
    let mut out = String::new();
    let (counts, target) = (Counts::of(plan), &plan.target);
    if plan.is_empty() {
        let _ = writeln!(out, "-- In agreement: nothing to do on {}.", line(&target.identity.database));
        return out;
    }
    let _ = writeln!(
        out,
        "-- {}: {} on {} (PostgreSQL {}).",
        way.title(),
        counts.sentence(),
        line(&target.identity.database),
        line(&target.server)
    );
    let _ = writeln!(out, "-- `{}` checks under its locks that the plan still fits; this script does not.", way.runs());
    if let Some((_, words)) = rehearsal(plan) {
        let _ = writeln!(out, "-- {}.", line(&words));
    }
    let missing = flags(plan);
    if !missing.is_empty() {
        let _ = writeln!(out, "-- {} not allowed yet:", count(missing.len(), "hazard"));
    }
    for flag in &missing {
        let _ = writeln!(out, "--   {flag}");
    }
    for finding in &plan.findings {
        let _ = writeln!(out, "-- It would fail: {}: {}", line(&finding.address), line(&finding.text));
    }
    out.push_str(SETTINGS);
    let total = plan.batches.len();
    for (n, (batch, steps)) in numbered(plan).into_iter().enumerate() {
        let within = !batch.outside_transaction();
        let _ = writeln!(out, "\n-- {}", title(batch, n, total));
        out.push_str(if within { "BEGIN;\nSET CONSTRAINTS ALL IMMEDIATE;\n" } else { "" });
        for lock in &batch.locks {
            let _ = writeln!(out, "{};", lock.sql());
        }
        steps.iter().for_each(|step| statements(&mut out, step, way));
        out.push_str(if within { "\nCOMMIT;\n" } else { "" });
    }
    out
}

fn statements(out: &mut String, numbered: &Numbered, way: Way) {
    let Numbered { number, step } = numbered;
    let _ = writeln!(out, "\n{}", heading(*number, step));
    for sql in &step.sql {
        // psql and terminals treat a carriage return before a line break alike.
        if is_plain(&sql.replace("\r\n", "\n")) {
            let _ = writeln!(out, "{sql};");
            continue;
        }
        out.push_str("-- The next statement holds control characters, which a script would show raw:\n");
        for text in lines(sql).lines() {
            let _ = writeln!(out, "--   {text}");
        }
        let _ = writeln!(out, "DO $$BEGIN RAISE EXCEPTION 'step {number} can only be run with {}'; END$$;", way.runs());
    }
}

/// What a step is and does to others, as comments.
pub fn heading(number: usize, step: &Step) -> String {
    let mut text = format!("-- {number}. {} {}", line(&step.verb), line(&step.address));
    if !step.on.is_empty() && !step.blocks.is_empty() {
        let _ =
            write!(text, "\n--    {} on {}: blocks {}", step.lock.sql(), line(&step.on.join(", ")), line(&step.blocks));
    }
    for note in &step.hazards {
        let _ = write!(text, "\n--    {}: {}", note.hazard.word(), line(&note.why));
    }
    text
}
