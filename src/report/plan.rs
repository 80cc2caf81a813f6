//! Plans.

use crate::plan::Plan;

/// How a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PlanFormat {
    Human,
    Sql,
    Markdown,
    Json,
}

/// The text of a plan.
pub fn plan(plan: &Plan, _format: PlanFormat, _color: bool) -> String {
    let mut text = String::new();
    for (n, batch) in plan.batches.iter().enumerate() {
        text.push_str(&format!("-- batch {}\n", n + 1));
        for step in &batch.steps {
            text.push_str(&format!("-- {} {}\n", step.verb, step.address));
            for h in &step.hazards {
                text.push_str(&format!("--   {}: {}\n", h.hazard.word(), h.why));
            }
            for sql in &step.sql {
                text.push_str(&format!("{sql};\n"));
            }
        }
    }
    for f in &plan.findings {
        text.push_str(&format!("!! {}: {} {:?}\n", f.address, f.text, f.examples));
    }
    text.push_str(&format!("{}\n", plan.summary));
    text
}
