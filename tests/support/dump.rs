//! What pg_dump says, as a set of entries in which only what matters counts.
//!
//! Two databases may differ in the physical order of columns, which is no drift, and in the order in
//! which pg_dump breaks ties, and in the order of storage parameters. So the entries are sorted, and so
//! are the lines inside CREATE TABLE and the settings of columns behind it, what stands in WITH, and grants.

use similar::TextDiff;
use std::collections::BTreeMap;

/// A dump, entry by entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    entries: Vec<String>,
}

impl Dump {
    pub fn of(text: &str) -> Self {
        let mut entries: Vec<String> = Vec::new();
        let mut current = String::new();
        for line in text.lines() {
            if line.starts_with("-- Name: ") || line.starts_with("-- PostgreSQL database dump complete") {
                entries.push(std::mem::take(&mut current));
            }
            if !is_noise(line) {
                current.push_str(line);
                current.push('\n');
            }
        }
        entries.push(current);
        let mut entries: Vec<String> = entries
            .iter()
            .map(|e| sort_events(&sort_options(&sort_columns(e.trim()))))
            .filter(|e| !e.is_empty())
            .collect();
        entries.sort();
        Self { entries }
    }

    /// Without the entries that hold one of these texts.
    pub fn without(&self, texts: &[String]) -> Self {
        let kept = self.entries.iter().filter(|entry| !texts.iter().any(|text| entry.contains(text)));
        Self { entries: kept.cloned().collect() }
    }

    /// The entries that are not in both, as a diff from `self` to `other`.
    pub fn diff(&self, other: &Self) -> String {
        let mut counts: BTreeMap<&str, i32> = BTreeMap::new();
        for entry in &self.entries {
            *counts.entry(entry).or_default() += 1;
        }
        for entry in &other.entries {
            *counts.entry(entry).or_default() -= 1;
        }
        let side = |wanted: fn(i32) -> bool| {
            let found = counts.iter().filter(|(_, n)| wanted(**n)).map(|(entry, _)| format!("{entry}\n\n"));
            found.collect::<String>()
        };
        let (mine, theirs) = (side(|n| n > 0), side(|n| n < 0));
        TextDiff::from_lines(&mine, &theirs).unified_diff().context_radius(3).to_string()
    }
}

/// Comments, blank lines, session settings, and the key of this very dump.
fn is_noise(line: &str) -> bool {
    line.is_empty()
        || line.starts_with("--")
        || line.starts_with("SET ")
        || line.starts_with("SELECT pg_catalog.set_config(")
        || line.starts_with("\\restrict ")
        || line.starts_with("\\unrestrict ")
}

fn sort_columns(entry: &str) -> String {
    let mut lines: Vec<&str> = entry.lines().collect();
    let starts = |line: &&str| line.starts_with("CREATE TABLE ") || line.starts_with("CREATE UNLOGGED TABLE ");
    if lines.iter().all(|line| line.starts_with("GRANT ") || line.starts_with("REVOKE ")) {
        // One role's privileges do not depend on another's.
        lines.sort_unstable();
        return lines.join("\n");
    }
    let Some(start) = lines.iter().position(starts).filter(|at| lines[*at].ends_with('(')) else {
        return entry.to_owned();
    };
    let Some(length) = lines[start..].iter().position(|line| line.starts_with(')')) else { return entry.to_owned() };
    let inside = &mut lines[start + 1..start + length];
    inside.iter_mut().for_each(|line| *line = line.strip_suffix(',').unwrap_or(line));
    inside.sort_unstable();
    // Settings of columns follow in the order of the columns.
    let is_setting = |line: &str| line.starts_with("ALTER TABLE ONLY ") && line.contains(" ALTER COLUMN ");
    let mut settings: Vec<&str> = lines.iter().copied().filter(|line| is_setting(line)).collect();
    settings.sort_unstable();
    let mut settings = settings.into_iter();
    let places = lines.iter_mut().filter(|line| is_setting(line));
    places.for_each(|line| *line = settings.next().unwrap_or_default());
    lines.join("\n")
}

/// The columns of a trigger's `UPDATE OF b, a ON`, whose order means nothing.
fn sort_events(entry: &str) -> String {
    let Some(start) = entry.find(" UPDATE OF ").map(|at| at + " UPDATE OF ".len()) else { return entry.to_owned() };
    let Some(length) = entry[start..].find(" ON ") else { return entry.to_owned() };
    let mut columns: Vec<&str> = entry[start..start + length].split(", ").collect();
    columns.sort_unstable();
    format!("{}{}{}", &entry[..start], columns.join(", "), &entry[start + length..])
}

/// Storage parameters: `WITH (lists='100', x='y')`, none of which has a value with a parenthesis.
fn sort_options(entry: &str) -> String {
    let Some(start) = entry.find("WITH (").map(|at| at + "WITH (".len()) else { return entry.to_owned() };
    let Some(length) = entry[start..].find(')') else { return entry.to_owned() };
    let mut options: Vec<&str> = entry[start..start + length].split(", ").collect();
    options.sort_unstable();
    format!("{}{}{}", &entry[..start], options.join(", "), &entry[start + length..])
}
