//! Findings for people and machines, and the reference of the rules. Names come from the database and may
//! hold anything: what controls a terminal is written as `\u{..}`.

use super::{Finding, Report, Rule, Severity, RULES};
use anstyle::{AnsiColor, Style};
use serde_json::json;
use std::fmt::Write;

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Human,
    Json,
}

pub fn report(report: &Report, format: Format, color: bool) -> String {
    match format {
        Format::Human => human(report, color),
        Format::Json => machine(report),
    }
}

fn human(report: &Report, color: bool) -> String {
    let mut text = String::new();
    let paint = |style: Style, words: &str| if color { format!("{style}{words}{style:#}") } else { words.to_owned() };
    for severity in Severity::ALL {
        let of: Vec<&Finding> = report.findings.iter().filter(|f| f.severity == severity).collect();
        if of.is_empty() {
            continue;
        }
        let heading = format!("{} ({})", plural(severity, of.len()), of.len());
        let _ = writeln!(text, "{}", paint(style(severity).bold(), &heading));
        let mut last = None;
        for finding in of {
            if last != Some(&finding.address) {
                let _ = writeln!(text, "\n  {}", paint(Style::new().bold(), &clean(&finding.address.to_string())));
                last = Some(&finding.address);
            }
            let rule = paint(Style::new().dimmed(), &format!("[{}]", finding.rule));
            let _ = writeln!(text, "    {} {rule}", clean(&finding.message));
            for line in finding.advice.lines() {
                let _ = writeln!(text, "      {}", clean(line));
            }
        }
        text.push('\n');
    }
    if !report.unchecked.is_empty() {
        let _ =
            writeln!(text, "{}\n", paint(Style::new().bold(), &format!("Not checked ({})", report.unchecked.len())));
        for what in &report.unchecked {
            let _ = writeln!(text, "  {}", clean(what));
        }
        text.push('\n');
    }
    let counts: Vec<String> = Severity::ALL
        .into_iter()
        .map(|s| (s, count(report, s)))
        .filter(|(_, n)| *n > 0)
        .map(|(s, n)| counted(s, n))
        .collect();
    let counts = if counts.is_empty() { "nothing found".to_owned() } else { counts.join(", ") };
    let schemas = report.schemas.iter().map(|s| clean(s)).collect::<Vec<_>>().join(", ");
    let _ = writeln!(text, "{} (PostgreSQL {}; {schemas}): {counts}", clean(&report.database), report.version);
    if !report.findings.is_empty() {
        let _ = writeln!(text, "`pgplumb audit --explain RULE` says why a finding matters");
    }
    text
}

/// Findings as JSON. `address` is the full path that other commands take and print.
fn machine(report: &Report) -> String {
    let Report { database, version, schemas, tenancy, findings, unchecked } = report;
    let findings: Vec<_> = findings
        .iter()
        .map(|finding| {
            let Finding { rule, severity, address, message, advice } = finding;
            json!({ "rule": rule, "severity": severity, "address": address.path(), "message": message, "advice": advice })
        })
        .collect();
    let summary: serde_json::Map<_, _> =
        Severity::ALL.into_iter().map(|s| (s.word().to_owned(), count(report, s).into())).collect();
    let whole = json!({
        "pgplumb_audit": 1,
        "database": database,
        "postgres": version,
        "schemas": schemas,
        "tenancy": tenancy,
        "findings": findings,
        "not_checked": unchecked,
        "summary": summary,
    });
    // Only strings and numbers: serialising them cannot fail.
    format!("{}\n", serde_json::to_string_pretty(&whole).unwrap_or_default())
}

/// What `--explain RULE` prints.
pub fn explain(rule: &Rule) -> String {
    let Rule { name, severity, needs_tenancy, explanation, check: _ } = rule;
    let needs = if *needs_tenancy { "; needs to know the tenancy" } else { "" };
    format!("{name} ({}{needs})\n\n{}\n", severity.word(), wrapped(explanation))
}

/// The rules, one a line.
pub fn list() -> String {
    let width = RULES.iter().map(|r| r.name.len()).max().unwrap_or(0);
    RULES.iter().map(|r| format!("{:width$}  {}\n", r.name, r.severity.word())).collect()
}

/// The reference of the rules, in Markdown: the second half of docs/audit.md.
pub fn reference() -> String {
    let mut text = String::from("| rule | severity | needs the tenancy |\n|---|---|---|\n");
    for Rule { name, severity, needs_tenancy, explanation: _, check: _ } in RULES {
        let _ =
            writeln!(text, "| [{name}](#{name}) | {} | {} |", severity.word(), if *needs_tenancy { "yes" } else { "" });
    }
    for Rule { name, severity: _, needs_tenancy: _, explanation, check: _ } in RULES {
        let _ = write!(text, "\n### {name}\n\n{}\n", wrapped(explanation));
    }
    text
}

fn count(report: &Report, severity: Severity) -> usize {
    report.findings.iter().filter(|f| f.severity == severity).count()
}

fn counted(severity: Severity, n: usize) -> String {
    format!("{n} {}{}", severity.word(), if n == 1 { "" } else { "s" })
}

fn plural(severity: Severity, n: usize) -> &'static str {
    match (severity, n) {
        (Severity::Error, 1) => "Error",
        (Severity::Error, _) => "Errors",
        (Severity::Warning, 1) => "Warning",
        (Severity::Warning, _) => "Warnings",
        (Severity::Note, 1) => "Note",
        (Severity::Note, _) => "Notes",
    }
}

fn style(severity: Severity) -> Style {
    let color = match severity {
        Severity::Error => AnsiColor::Red,
        Severity::Warning => AnsiColor::Yellow,
        Severity::Note => AnsiColor::Cyan,
    };
    Style::new().fg_color(Some(color.into()))
}

/// The text on one line, without what a terminal would obey: control characters, and those that reorder or
/// hide others.
fn clean(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        let hides =
            matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if c.is_control() || hides {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Lines of at most 110 characters.
fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= 110 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Address;

    fn sample() -> Report {
        let address = Address::root("schema", "app").child("table", "o\u{1b}[31m\nd");
        let finding = |severity| Finding {
            rule: "r",
            severity,
            address: address.clone(),
            message: "bad\u{7}\u{202e}".into(),
            advice: "DROP\rx;\ny".into(),
        };
        let mut findings = vec![finding(Severity::Note), finding(Severity::Error)];
        findings.sort();
        Report {
            database: "d".into(),
            version: "16.1".into(),
            schemas: vec!["app".into()],
            tenancy: None,
            findings,
            unchecked: vec!["x\u{1b}".into()],
        }
    }

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_obey() {
        let text = human(&sample(), false);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()) && !text.contains('\u{202e}'), "{text:?}");
        assert!(text.contains("1 error, 1 note"), "{text}");
        assert!(text.find("Error (1)") < text.find("Note (1)"), "{text}");
        assert!(!human(&sample(), true).contains("\u{1b}[31m\u{a}"));
    }

    #[test]
    fn json_keeps_everything() -> serde_json::Result<()> {
        let value: serde_json::Value = serde_json::from_str(&machine(&sample()))?;
        assert_eq!(value.pointer("/findings/0/severity").and_then(|v| v.as_str()), Some("error"));
        assert_eq!(value.pointer("/summary/note").and_then(|v| v.as_u64()), Some(1));
        assert_eq!(value.pointer("/tenancy"), Some(&serde_json::Value::Null));
        Ok(())
    }
}
