//! The report on a plan that failed its rehearsal: enough to find the defect, and nothing that is anybody's data.

use crate::error::Error;
use crate::kinds;
use crate::model::Address;
use crate::plan::{address_of, Batch, Plan, Step};
use crate::sql::without_values;
use std::fmt::Write;

/// How many statements a report shows at most.
const SHOWN: usize = 60;

/// What went wrong.
pub struct Failure {
    /// What the plan did, in words: `its result is not what is desired`.
    what: String,
    /// Addresses with what is wrong there.
    at: Vec<(String, String)>,
    /// Whether the way back was run too.
    back: bool,
}

impl Failure {
    /// A statement that the server refused.
    pub fn refused(step: Option<&Step>, sql: &str, words: &str) -> Self {
        let address = match step.map(|step| (step, address_of(&step.at))) {
            Some((step, Some(address))) => format!("{} {}", step.verb, name(&address)),
            Some((step, None)) => step.verb.clone(),
            None => "the transaction".to_owned(),
        };
        Self {
            what: "a statement is refused".into(),
            at: vec![(address, format!("{words}, at `{}`", shown(step, sql)))],
            back: false,
        }
    }

    /// A state that is not the right one, after the way there or after the way back.
    pub fn elsewhere(what: &str, at: Vec<(&Address, String)>, back: bool) -> Self {
        let at = at.into_iter().map(|(address, words)| (name(address), words)).collect();
        Self { what: what.to_owned(), at, back }
    }

    /// The same, found on the way back.
    pub fn on_the_way_back(self) -> Self {
        Self { what: format!("on the way back {}", self.what), back: true, ..self }
    }

    /// The error that ends the command: a report that can be filed as it is.
    pub fn report(&self, plan: &Plan) -> Error {
        let mut text = format!("the plan failed its rehearsal, and is not written: {}\n", self.what);
        for (address, words) in &self.at {
            let _ = writeln!(text, "  {address}: {words}");
        }
        let _ = writeln!(text, "{}, PostgreSQL {} (scratch: the same major)", plan.made_by, plan.target.server);
        text.push_str("statements, without values of rows:\n");
        let statements = statements(&plan.batches, self.back);
        for line in statements.iter().take(SHOWN) {
            let _ = writeln!(text, "  {line}");
        }
        if statements.len() > SHOWN {
            let _ = writeln!(text, "  and {} more", statements.len() - SHOWN);
        }
        Error::new(text.trim_end()).with_hint(
            "this is a defect of pgplumb, not of the declaration: please report it with the text above; \
             --no-rehearsal makes the plan all the same",
        )
    }
}

/// Whether a thing is made of data, which no report may show.
pub fn holds_data(address: &Address) -> bool {
    kinds::kind_of(address).catalog().is_none()
}

/// What a report calls it: the name of a row is its key.
fn name(address: &Address) -> String {
    match address.parent().filter(|_| holds_data(address)) {
        Some(table) => format!("a {} of {table}", address.kind()),
        None => address.to_string(),
    }
}

/// A statement; one that reads or writes rows without the values in it.
fn shown(step: Option<&Step>, sql: &str) -> String {
    let data = step.is_some_and(|step| step.data.iter().any(|at| step.sql.get(*at).is_some_and(|data| data == sql)));
    if data {
        without_values(sql)
    } else {
        sql.to_owned()
    }
}

/// What was run, with where transactions begin.
fn statements(batches: &[Batch], back: bool) -> Vec<String> {
    let there = batches.iter().map(|batch| ("transaction", batch));
    let undo = batches.iter().rev().flat_map(|batch| &batch.undo).map(|batch| ("on the way back", batch));
    let all = there.chain(undo.filter(|_| back));
    all.flat_map(|(title, batch)| {
        let sql = batch.steps.iter().flat_map(|step| step.sql.iter().map(|sql| format!("{};", shown(Some(step), sql))));
        std::iter::once(format!("-- {title}")).chain(sql)
    })
    .collect()
}
