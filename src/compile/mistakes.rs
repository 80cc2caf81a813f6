//! Which mistakes there are when the server refuses: all that are independent, in one run.
//!
//! A refused statement hides what is wrong in the rest of it, and makes things fail that need it. So what
//! was found wrong is left out, with all that needs it, and the rest is built again, until nothing new is
//! found. A failure that follows from what failed or was left out is no mistake: it needs it, stands below
//! it, or complains about its name.

use crate::error::{Error, Pos, Problem};
use crate::kinds;
use crate::model::{Address, Model, Node};
use crate::plan::address_of;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Rounds after which what was found is enough to begin with.
const ROUNDS: usize = 25;

/// How many refusals of what is declared at one place are all told, and how many of more than that.
const MOST: usize = 10;
const FEW: usize = 3;

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
    /// Its SQLSTATE; empty if the connection failed.
    pub code: String,
    pub problem: Problem,
}

/// The mistakes found until now, and what is left out because of them.
#[derive(Default)]
pub struct Mistakes {
    left_out: BTreeSet<Address>,
    /// By their place and SQLSTATE.
    problems: BTreeMap<(Pos, String), BTreeSet<Problem>>,
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
        let failed: HashSet<Address> = built().filter_map(|f| address_of(&f.of)).collect();
        let named = Named::new(failed.iter());
        let left_out = Named::new(self.left_out.iter());
        let absent = |failure: &Failure| ABSENT.iter().any(|code| failure.message.contains(code));
        let misses = |failure: &Failure| absent(failure) && left_out.is_in(&failure.message, None);
        let follows = |failure: &Failure| {
            let of = address_of(&failure.of);
            let node = of.as_ref().and_then(|of| model.get(of));
            let hangs = |node: &Node| {
                let parent = node.address.parent();
                node.needs.iter().chain(&parent).any(|on| *on != node.address && failed.contains(on))
            };
            node.is_some_and(hangs) || (absent(failure) && named.is_in(&failure.message, of.as_ref()))
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
        for Failure { culprit, problem, code, .. } in roots {
            self.left_out.extend(culprit);
            self.problems.entry((problem.pos.clone(), code)).or_default().insert(problem);
        }
        self.left_out.extend(also);
        self.rounds += 1;
        self.left_out.len() > known && self.rounds < ROUNDS
    }

    /// All of them, with a few of those of one SQLSTATE that a template brought to many tables.
    pub fn into_error(self) -> Error {
        let mut told = Vec::new();
        for ((pos, code), alike) in self.problems {
            let few = if alike.len() > MOST { FEW } else { alike.len() };
            let others = alike.len() - few;
            told.extend(alike.into_iter().take(few));
            if others > 0 {
                let words = format!("{others} more that are declared at this place are refused too ({code})");
                told.push(Problem::new(&pos, words));
            }
        }
        Error::Declaration(told)
    }
}

/// The name by which the server speaks of something.
fn bare_name(address: &Address) -> String {
    kinds::routine::bare_name(address).unwrap_or_else(|| address.name().to_owned())
}

/// Things by the names that a server's message may call them: `"t"`, `"app.t"` or `f(integer)`.
struct Named<'a> {
    by_name: HashMap<String, Vec<&'a Address>>,
    /// Bytes of the longest name.
    longest: usize,
}

impl<'a> Named<'a> {
    fn new(addresses: impl Iterator<Item = &'a Address>) -> Self {
        let mut by_name: HashMap<String, Vec<&Address>> = HashMap::new();
        for address in addresses {
            by_name.entry(bare_name(address)).or_default().push(address);
        }
        by_name.remove("");
        let longest = by_name.keys().map(String::len).max().unwrap_or_default();
        Self { by_name, longest }
    }

    /// Whether a message names one of them, apart from `but`.
    fn is_in(&self, message: &str, but: Option<&Address>) -> bool {
        let is_other = |name: &str| {
            self.by_name.get(name).is_some_and(|of| of.iter().any(|address| but.is_none_or(|but| but != *address)))
        };
        message.match_indices(['"', '(']).any(|(end, sign)| {
            // No further back than the longest name: messages may be long.
            let starts = (end.saturating_sub(self.longest)..end).filter(|at| message.is_char_boundary(*at));
            let begins = |at: &usize| match sign {
                "(" => !message[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'),
                _ => message[..*at].ends_with(['"', '.']),
            };
            starts.filter(begins).any(|at| is_other(&message[at..end]))
        })
    }
}
