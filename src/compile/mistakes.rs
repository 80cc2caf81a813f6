//! Which mistakes there are when the server refuses: all that are independent, in one run.
//!
//! A refused statement hides what is wrong in the rest of it, and makes things fail that need it. So what
//! was found wrong is left out, with all that needs it, and the rest is built again, until nothing new is
//! found. A failure that follows from what failed or was left out is no mistake: it needs it, stands below
//! it, or complains about its name.

use crate::error::{Error, Problem};
use crate::kinds;
use crate::model::{Address, Model, Node};
use std::collections::{BTreeSet, HashSet};

/// Rounds after which what was found is enough to begin with.
const ROUNDS: usize = 25;

/// Codes that say that something is not there: relation, column, function, type or another thing.
const ABSENT: [&str; 4] = ["(42P01)", "(42703)", "(42883)", "(42704)"];

/// One refusal by the server.
pub struct Failure {
    /// The path of what was built.
    pub of: String,
    /// What is wrong: it, or something inside it. None where leaving it out would help nothing.
    pub culprit: Option<Address>,
    /// The server's words.
    pub message: String,
    pub problem: Problem,
}

/// The mistakes found until now, and what is left out because of them.
#[derive(Default)]
pub struct Mistakes {
    left_out: BTreeSet<Address>,
    problems: BTreeSet<Problem>,
    rounds: usize,
}

impl Mistakes {
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// The model without what is wrong and what needs it.
    pub fn without(&self, model: &Model) -> Model {
        let mut gone: HashSet<&Address> = HashSet::new();
        let mut before = usize::MAX;
        while gone.len() != before {
            before = gone.len();
            for node in model.nodes() {
                let wrong = self.left_out.contains(&node.address);
                let hangs = node.needs.iter().chain(node.address.parent().iter()).any(|on| gone.contains(on));
                if wrong || hangs {
                    gone.insert(&node.address);
                }
            }
        }
        Model::new(model.nodes().iter().filter(|n| !gone.contains(&n.address)).cloned().collect())
    }

    /// Notes what failed; whether another round can find more.
    pub fn note(&mut self, failures: Vec<Failure>, model: &Model) -> bool {
        // A body that is wrong makes nothing else fail.
        let built = || failures.iter().filter(|f| f.culprit.is_some());
        let failed: HashSet<String> = built().map(|f| f.of.clone()).collect();
        let names: Vec<(String, String)> = built().map(|f| (f.of.clone(), last_name(&f.of))).collect();
        let absent = |failure: &Failure| ABSENT.iter().any(|code| failure.message.contains(code));
        let misses = |failure: &Failure| {
            absent(failure) && self.left_out.iter().any(|a| mentions(&failure.message, &bare_name(a)))
        };
        let follows = |failure: &Failure| {
            let node = model.nodes().iter().find(|n| n.address.path() == failure.of);
            let hangs = |node: &Node| {
                node.needs
                    .iter()
                    .chain(node.address.parent().iter())
                    .any(|on| on.path() != failure.of && failed.contains(&on.path()))
            };
            let others = || names.iter().any(|(of, name)| *of != failure.of && mentions(&failure.message, name));
            node.is_some_and(hangs) || (absent(failure) && others())
        };
        let known = self.left_out.len();
        let mut also = Vec::new();
        let mut roots = Vec::new();
        let mut rest = Vec::new();
        for failure in failures {
            if misses(&failure) {
                // It has to go too, lest it hide more.
                also.extend(failure.culprit);
            } else if follows(&failure) {
                rest.push(failure);
            } else {
                roots.push(failure);
            }
        }
        if roots.is_empty() && self.is_empty() {
            roots = rest;
        }
        for Failure { culprit, problem, .. } in roots {
            self.left_out.extend(culprit);
            self.problems.insert(problem);
        }
        self.left_out.extend(also);
        self.rounds += 1;
        self.left_out.len() > known && self.rounds < ROUNDS
    }

    pub fn into_error(self) -> Error {
        Error::Declaration(self.problems.into_iter().collect())
    }
}

/// The name by which the server speaks of something.
fn bare_name(address: &Address) -> String {
    kinds::routine::bare_name(address).unwrap_or_else(|| address.name().to_owned())
}

fn last_name(path: &str) -> String {
    crate::plan::address_of(path).map_or_else(String::new, |address| bare_name(&address))
}

/// Whether the server's message names something: `"t"`, `"app.t"` or `f(integer)`.
fn mentions(message: &str, name: &str) -> bool {
    let called = |at: usize| !message[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    !name.is_empty()
        && (message.contains(&format!("\"{name}\""))
            || message.contains(&format!(".{name}\""))
            || message.match_indices(&format!("{name}(")).any(|(at, _)| called(at)))
}
