//! Drift for pull requests and issues.

use super::super::difference::unified;
use super::super::name::split_address;
use super::super::paint::Paint;
use super::super::text::{block, cell, code, count, prose};
use super::{counts, notes, numbers, ordered, unknown, value, DriftSubject, UNDECIDED};
use crate::drift::{Change, Difference, Drift, Field, Open};
use std::fmt::Write;

pub fn text(drift: &Drift, subject: &DriftSubject) -> String {
    let mut out = String::new();
    let DriftSubject { declaration, database, server } = subject;
    let sides = format!("{} and {} (PostgreSQL {})", code(declaration), code(database), prose(server));
    let title = if !drift.is_empty() {
        format!("## Drift: {}\n\n{} between {sides}.", counts(drift), count(drift.differences.len(), "difference"))
    } else if !drift.is_whole() {
        format!("## Could not tell\n\n{sides} agree in what could be compared; {}.", unknown(drift))
    } else {
        format!("## In agreement\n\n{sides}, {} compared.", count(drift.compared, "thing"))
    };
    let _ = writeln!(out, "{title}");
    let mut group = String::new();
    for difference in ordered(drift) {
        let (thing, below) = split_address(&difference.address);
        if thing != group {
            head(&mut out, &code(&thing));
            group = thing;
        }
        one(&mut out, difference, below.as_deref());
    }
    if !drift.undecided.is_empty() {
        head(&mut out, UNDECIDED);
        for Open { difference, why } in &drift.undecided {
            let _ = writeln!(out, "- {}", code(&difference.address.to_string()));
            write_fields(&mut out, &difference.fields);
            let _ = writeln!(out, "  {}", prose(why));
        }
    }
    for (title, list) in notes(drift) {
        head(&mut out, title);
        for text in list {
            let _ = writeln!(out, "- {}", prose(&text));
        }
    }
    out
}

fn head(out: &mut String, title: &str) {
    let gap = if out.ends_with("\n\n") { "" } else { "\n" };
    let _ = writeln!(out, "{gap}### {title}\n");
}

fn one(out: &mut String, difference: &Difference, below: Option<&str>) {
    let Difference { address: _, change, fields, below: inside, was } = difference;
    let words = match change {
        Change::Missing => ": declared, not there",
        Change::Extra => ": there, not declared",
        Change::Changed => "",
    };
    let name = below.map_or_else(String::new, |below| format!(" {}", code(below)));
    let _ = write!(out, "- **{}**{name}{words}", change.word());
    if !inside.is_empty() {
        let _ = write!(out, ", with {}", prose(&numbers(inside)));
    }
    if let Some(was) = was {
        let _ = write!(out, "; still has its former name, {}", code(&was.to_string()));
    }
    out.push('\n');
    write_fields(out, fields);
}

fn write_fields(out: &mut String, fields: &[Field]) {
    let is_long = |f: &&Field| value::is_long(f.declared.as_ref(), f.live.as_ref());
    let short: Vec<&Field> = fields.iter().filter(|f| !is_long(f)).collect();
    if !short.is_empty() {
        let _ = writeln!(out, "\n  | field | declared | live |\n  |---|---|---|");
    }
    for Field { name, declared, live } in &short {
        let (declared, live) = (value::brief(name, declared.as_ref()), value::brief(name, live.as_ref()));
        let _ = writeln!(out, "  | {} | {} | {} |", cell(name), cell(&declared), cell(&live));
    }
    if !short.is_empty() {
        out.push('\n');
    }
    for Field { name, declared, live } in fields.iter().filter(is_long) {
        let (old, new) = (value::text(declared.as_ref()), value::text(live.as_ref()));
        let diff = unified(&old, &new, "", Paint { color: false });
        let gap = if out.ends_with("\n\n") { "" } else { "\n" };
        let _ = writeln!(out, "{gap}  {}, declared (-) and live (+):\n", code(name));
        for text in block("diff", &diff).lines() {
            let _ = writeln!(out, "  {text}");
        }
        out.push('\n');
    }
}
