//! A plan for a terminal: per transaction, grouped by thing, then what a reviewer has to weigh.

use super::super::difference::{likeness, whole};
use super::super::name::split;
use super::super::paint::{Paint, Tone};
use super::super::text::{count, line, lines};
use super::review::{flags, locks, meaning, numbered, one_way, ranges, rehearsal, risks, title, Counts, Numbered};
use super::Way;
use crate::plan::{Batch, Finding, Plan, Step};
use std::fmt::Write;

/// Where the SQL of a step begins.
const INDENT: &str = "        ";

pub fn text(plan: &Plan, way: Way, color: bool) -> String {
    let paint = Paint { color };
    let mut out = String::new();
    let target = &plan.target;
    let database =
        format!("{} (PostgreSQL {}, as {})", line(&target.identity.database), line(&target.server), line(&target.role));
    if plan.is_empty() {
        let (tone, words) = match plan.not_checked.is_empty() {
            true => (Tone::Good, "In agreement:"),
            false => (Tone::Change, "As far as could be looked at:"),
        };
        let _ = writeln!(out, "{} nothing to do on {database}.", paint.raw(tone, words));
    } else {
        let total = plan.batches.len();
        for (n, (batch, steps)) in numbered(plan).into_iter().enumerate() {
            let title = paint.raw(Tone::Title, &title(batch, n, total));
            let _ = writeln!(out, "{title}, {}\n", count(steps.len(), "step"));
            transaction(&mut out, batch, &steps, plan, paint);
        }
        let counts = Counts::of(plan);
        let title = paint.raw(Tone::Title, &format!("{}:", way.title()));
        let _ = writeln!(out, "{title} {} on {database}.", counts.sentence());
    }
    if let Some((done, words)) = rehearsal(plan) {
        let _ = writeln!(out, "{}.", paint.line(if done { Tone::Faint } else { Tone::Warning }, &words));
    }
    weigh(&mut out, plan, way, paint);
    out
}

/// A step, and what is left to say of its address below its thing.
type Below<'a> = (&'a Numbered<'a>, Option<String>);

fn transaction(out: &mut String, batch: &Batch, steps: &[Numbered], plan: &Plan, paint: Paint) {
    // Things in the order of their first steps.
    let mut groups: Vec<(String, Vec<Below>)> = Vec::new();
    for step in steps {
        let (thing, below) = split(&step.step.at, &step.step.address);
        match groups.iter_mut().find(|(name, _)| *name == thing) {
            Some((_, list)) => list.push((step, below)),
            None => groups.push((thing, vec![(step, below)])),
        }
    }
    for (thing, list) in groups {
        let _ = writeln!(out, "  {}", paint.line(Tone::Title, &thing));
        for (Numbered { number, step }, below) in list {
            let (sign, tone) = sign(&step.verb);
            let words = match below {
                Some(below) => format!("{sign} {} {below}", step.verb),
                None => format!("{sign} {}", step.verb),
            };
            let number = paint.raw(Tone::Faint, &format!("#{number}"));
            let _ = writeln!(out, "    {}  {number}", paint.line(tone, &words));
            one(out, batch, step, plan, paint);
        }
        out.push('\n');
    }
}

fn sign(verb: &str) -> (char, Tone) {
    match verb {
        "create" => ('+', Tone::Add),
        "drop" => ('-', Tone::Remove),
        "rename" => ('>', Tone::Change),
        _ => ('~', Tone::Change),
    }
}

fn one(out: &mut String, batch: &Batch, step: &Step, plan: &Plan, paint: Paint) {
    match before(batch, step) {
        Some(before) => {
            let words = "the whole statement; + and - mark what the one that leads back has not and has:";
            let _ = writeln!(out, "{INDENT}{}", paint.raw(Tone::Faint, words));
            let now = step.sql.join(";\n");
            out.push_str(&whole(&format!("{before};\n"), &format!("{now};\n"), INDENT, paint));
        }
        None => {
            for sql in &step.sql {
                for text in format!("{};", lines(sql)).lines() {
                    let _ = writeln!(out, "{}", format!("{INDENT}{text}").trim_end());
                }
            }
        }
    }
    for note in &step.hazards {
        let allowed = plan.allowed.iter().any(|a| a.hazard == note.hazard && a.address == step.address);
        let (tone, leave) = match (note.needs_leave, allowed) {
            (true, false) => (Tone::Danger, ""),
            (true, true) => (Tone::Warning, " (allowed)"),
            (false, _) => (Tone::Warning, ""),
        };
        let _ = writeln!(out, "      {}", paint.line(tone, &format!("! {}{leave}: {}", note.hazard.word(), note.why)));
    }
}

/// The statement that the way back has in the place of a long one, if they are alike: a function's old body.
fn before(batch: &Batch, step: &Step) -> Option<String> {
    let [now] = step.sql.as_slice() else { return None };
    let mut back = batch.undo.iter().flat_map(|b| &b.steps).filter(|s| s.at == step.at && s.verb == step.verb);
    let ([old], None) = (back.next()?.sql.as_slice(), back.next()) else { return None };
    let long = now.lines().count() > 4 && old.lines().count() > 4;
    (long && old != now && likeness(old, now) > 0.4).then(|| old.clone())
}

/// What a reviewer has to weigh.
fn weigh(out: &mut String, plan: &Plan, way: Way, paint: Paint) {
    let head = |out: &mut String, tone: Tone, text: &str, rest: &str| {
        let _ = writeln!(out, "\n{}{rest}", paint.raw(tone, text));
    };
    if !plan.findings.is_empty() {
        head(out, Tone::Danger, "It would fail as things are:", "");
    }
    for Finding { address, text, rows: _, examples } in &plan.findings {
        let _ = writeln!(out, "  {}: {}", line(address), line(text));
        if !examples.is_empty() {
            let examples = examples.iter().map(|e| line(e)).collect::<Vec<_>>().join("; ");
            let _ = writeln!(out, "    {} {examples}", paint.raw(Tone::Faint, "such as"));
        }
    }
    for (hazard, list) in risks(plan) {
        let open = list.iter().any(|r| r.needs_leave && !r.allowed);
        let tone = if open { Tone::Danger } else { Tone::Warning };
        head(out, tone, hazard.word(), &format!(": {}", meaning(hazard)));
        for risk in list {
            let leave = if risk.allowed { " (allowed)" } else { "" };
            let _ = writeln!(out, "  {}{leave}: {}", line(&risk.address), line(&risk.why.join("; ")));
        }
    }
    let locks = locks(plan);
    if !locks.is_empty() {
        head(out, Tone::Title, "Locks on tables with rows:", " each is held until its transaction ends");
    }
    for lock in locks {
        let steps = if lock.steps.len() == 1 { "step" } else { "steps" };
        let numbers = paint.raw(Tone::Faint, &format!("{steps} {}", ranges(&lock.steps)));
        let _ = writeln!(out, "  {}: {} blocks {}  {numbers}", line(&lock.relation), lock.lock.sql(), lock.blocks);
    }
    let one_way = one_way(plan);
    if !one_way.is_empty() {
        head(out, Tone::Warning, "No way back:", "");
    }
    for thing in one_way {
        let _ = writeln!(out, "  {}: {}", line(&thing.what), line(&thing.why));
    }
    if !plan.not_checked.is_empty() {
        head(out, Tone::Warning, "Not checked:", "");
    }
    for text in &plan.not_checked {
        let _ = writeln!(out, "  {}", line(text));
    }
    let flags = flags(plan);
    if !flags.is_empty() {
        let rest =
            format!(" `{}` does nothing before all of this is allowed; options of `{}`:", way.runs(), way.allows());
        head(out, Tone::Danger, "Needs your leave:", &rest);
        let _ = writeln!(out, "  {}", flags.join(" \\\n  "));
    }
}
