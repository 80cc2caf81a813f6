//! Drift for a terminal: things that differ, and in them what is missing (-), extra (+) or changed (~).

use super::super::difference::unified;
use super::super::name::split_address;
use super::super::paint::{Paint, Tone};
use super::super::text::{count, line};
use super::{counts, notes, numbers, ordered, unknown, value, DriftSubject, UNDECIDED};
use crate::drift::{Change, Difference, Drift, Field, Open};
use std::fmt::Write;

/// Longer than this, the two sides stand on lines of their own.
const SHORT: usize = 100;

pub fn text(drift: &Drift, subject: &DriftSubject, color: bool) -> String {
    let paint = Paint { color };
    let DriftSubject { declaration, database, server } = subject;
    let sides = format!("{} and {} (PostgreSQL {})", line(declaration), line(database), line(server));
    let mut out = differences(&ordered(drift), paint);
    if !drift.undecided.is_empty() {
        let gap = if out.is_empty() { "" } else { "\n" };
        let _ = writeln!(out, "{gap}{}", paint.line(Tone::Title, UNDECIDED));
        for Open { difference, why } in &drift.undecided {
            one(&mut out, difference, &difference.address.to_string(), None, paint);
            let _ = writeln!(out, "      {}", paint.line(Tone::Faint, why));
        }
    }
    for (title, list) in notes(drift) {
        let gap = if out.is_empty() { "" } else { "\n" };
        let _ = writeln!(out, "{gap}{}", paint.line(Tone::Title, title));
        for text in list {
            let _ = writeln!(out, "  {}", line(&text));
        }
    }
    if !out.is_empty() {
        out.push('\n');
    }
    if !drift.is_empty() {
        let title = paint.raw(Tone::Danger, "Drift:");
        let things = count(drift.differences.len(), "difference");
        let _ = writeln!(out, "{title} {things} between {sides}: {}.", counts(drift));
    } else if !drift.is_whole() {
        let title = paint.raw(Tone::Warning, "Could not tell:");
        let _ = writeln!(out, "{title} {sides} agree in what could be compared; {}.", unknown(drift));
    } else {
        let title = paint.raw(Tone::Good, "In agreement:");
        let _ = writeln!(out, "{title} {sides}, {} compared.", count(drift.compared, "thing"));
    }
    out
}

/// Differences, grouped by thing.
pub fn differences(differences: &[&Difference], paint: Paint) -> String {
    let mut out = String::new();
    let mut group = String::new();
    for difference in differences {
        let (thing, below) = split_address(&difference.address);
        if thing != group {
            let gap = if group.is_empty() { "" } else { "\n" };
            group.clone_from(&thing);
            if below.is_some() {
                let _ = writeln!(out, "{gap}  {}", paint.line(Tone::Title, &thing));
            } else {
                out.push_str(gap);
            }
        }
        one(&mut out, difference, &thing, below.as_deref(), paint);
    }
    out
}

fn one(out: &mut String, difference: &Difference, thing: &str, below: Option<&str>, paint: Paint) {
    let Difference { address: _, change, fields, below: inside, was } = difference;
    let (sign, tone, words) = match change {
        Change::Missing => ("-", Tone::Remove, "declared, not there"),
        Change::Extra => ("+", Tone::Add, "there, not declared"),
        Change::Changed => ("~", Tone::Change, ""),
    };
    let (indent, name) = match below {
        Some(below) => ("    ", paint.line(tone, &format!("{sign} {below}"))),
        None => ("  ", format!("{} {}", paint.raw(tone, sign), paint.line(Tone::Title, thing))),
    };
    let mut remarks: Vec<String> = Vec::new();
    if !words.is_empty() {
        remarks.push(words.to_owned());
    }
    if !inside.is_empty() {
        remarks.push(format!("with {}", numbers(inside)));
    }
    if let Some(was) = was {
        remarks.push(format!("still has its former name: {}", was));
    }
    let gap = if remarks.is_empty() { "" } else { "  " };
    let _ = writeln!(out, "{indent}{name}{gap}{}", paint.line(Tone::Faint, &remarks.join("; ")));
    for field in fields {
        one_field(out, field, &format!("{indent}    "), paint);
    }
}

fn one_field(out: &mut String, field: &Field, indent: &str, paint: Paint) {
    let Field { name, declared, live } = field;
    let name = line(name);
    if value::is_long(declared.as_ref(), live.as_ref()) {
        let (old, new) = (value::text(declared.as_ref()), value::text(live.as_ref()));
        let _ = writeln!(out, "{indent}{name}: {}", paint.raw(Tone::Faint, "declared (-), live (+)"));
        out.push_str(&unified(&old, &new, &format!("{indent}  "), paint));
        return;
    }
    let (declared, live) = (value::brief(&name, declared.as_ref()), value::brief(&name, live.as_ref()));
    let (before, after) = (paint.line(Tone::Remove, &declared), paint.line(Tone::Add, &live));
    if declared.chars().count() + live.chars().count() > SHORT {
        let _ = writeln!(out, "{indent}{name}:\n{indent}  declared {before}\n{indent}  live     {after}");
    } else {
        let _ = writeln!(out, "{indent}{name}: declared {before}; live {after}");
    }
}
