//! Where prints lead: things of a model are built in scratch from what was printed of them, what is printed then is
//! built again, and so on until nothing changes.
//!
//! Each side of a comparison is led to its end among its own surroundings (its columns, its functions): two texts
//! that print alike only because they were put among others' would be a false equality. Only the things in
//! question are built, with what they rest on; all that the model holds is, where that does not do: a function's
//! body may mention what no catalog tells.

use super::closure::{closure, needed};
use super::{build, read_back, Scratch, ROUNDS};
use crate::catalog::{Session, Wanted};
use crate::error::{Error, Result};
use crate::kinds;
use crate::model::{Address, Model, Spec};
use crate::plan;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A model whose prints are followed; its nodes' needs are known.
pub struct Side<'a> {
    pub model: &'a Model,
    /// What rests on something that is not managed.
    pub astray: &'a BTreeSet<Address>,
    /// The schemas that are owned.
    pub schemas: &'a [String],
    /// What others own of what it rests on, where that is known: it is laid before anything is built.
    pub ground: Option<&'a BTreeSet<Address>>,
}

/// What came of a thing.
#[derive(Debug)]
pub enum Led {
    /// The prints after the first, in their order; the last is a fixpoint. None if the first is one.
    To(Vec<Spec>),
    /// It cannot be built, because it rests on something that is not managed.
    Astray(String),
    /// It could not be built, or never settles: why.
    Failed(String),
}

impl Side<'_> {
    /// Whether it rests on what neither the model holds nor the ground.
    fn is_astray(&self, node: &crate::model::Node) -> bool {
        let laid = |need: &Address| self.ground.is_some_and(|ground| ground.contains(need));
        self.ground.is_none() && self.astray.contains(&node.address)
            || node.needs.iter().any(|need| self.model.get(need).is_none() && !laid(need))
    }

    /// What can be built of the roots' surroundings: whatever they can be without goes, if it is astray or rests on
    /// what is.
    fn part(&self, roots: &BTreeSet<Address>, whole: bool) -> Model {
        let part = if whole { self.model.clone() } else { closure(self.model, roots) };
        let kept = needed(self.model, roots);
        let mut gone: BTreeSet<Address> = BTreeSet::new();
        loop {
            let before = gone.len();
            for node in part.nodes().iter().filter(|n| !kept.contains(&n.address)) {
                let rests = |on: &Address| gone.iter().any(|g| on.is_within(g));
                if self.is_astray(node) || rests(&node.address) || node.needs.iter().any(rests) {
                    gone.insert(node.address.clone());
                }
            }
            if gone.len() == before {
                break;
            }
        }
        Model::new(part.into_nodes().into_iter().filter(|n| !gone.contains(&n.address)).collect())
    }

    /// The extensions that the roots rest on.
    pub fn extensions<'r>(&self, roots: impl IntoIterator<Item = &'r Address>) -> Vec<String> {
        let needed = needed(self.model, roots);
        needed.iter().filter(|a| a.kind() == "extension").map(|a| a.name().to_owned()).collect()
    }
}

/// Leads the things at `roots` to their fixpoints.
///
/// # Errors
/// Scratch fails as a whole. What fails of one thing is in its [`Led`].
pub async fn settle(side: &Side<'_>, roots: &[Address], scratch: &mut Scratch) -> Result<BTreeMap<Address, Led>> {
    let mut led: BTreeMap<Address, Led> = BTreeMap::new();
    let mut chains: BTreeMap<Address, Vec<Spec>> = BTreeMap::new();
    let mut waiting: BTreeSet<Address> = roots.iter().cloned().collect();
    let mut from = Cow::Borrowed(side.model);
    let none = BTreeSet::new();
    let mut whole = false;
    for round in 0..=ROUNDS {
        let now = Side { model: &from, astray: if round == 0 { side.astray } else { &none }, ..*side };
        let mut part = now.part(&waiting, whole);
        let (mut again, mut failures) = print(&part, side.schemas, scratch).await?;
        let helpless = |a: &&Address| again.get(a).is_none() && !needs_astray(&now, a);
        if !whole && waiting.iter().any(|a| helpless(&a)) {
            whole = true;
            part = now.part(&waiting, whole);
            (again, failures) = print(&part, side.schemas, scratch).await?;
        }
        for address in std::mem::take(&mut waiting) {
            let Some(node) = again.get(&address) else {
                let why = reason(&part, &address, &failures);
                let astray = needs_astray(&now, &address);
                led.insert(address, if astray { Led::Astray(why) } else { Led::Failed(why) });
                continue;
            };
            let chain = chains.entry(address.clone()).or_default();
            if part.get(&address).is_some_and(|before| before.spec == node.spec) {
                led.insert(address, Led::To(std::mem::take(chain)));
            } else {
                chain.push(node.spec.clone());
                waiting.insert(address);
            }
        }
        if waiting.is_empty() {
            return Ok(led);
        }
        from = Cow::Owned(again);
    }
    let why = "its print changes each time it is fed back".to_owned();
    led.extend(waiting.into_iter().map(|address| (address, Led::Failed(why.clone()))));
    Ok(led)
}

fn needs_astray(side: &Side<'_>, root: &Address) -> bool {
    let needed = needed(side.model, [root]);
    needed.iter().filter_map(|address| side.model.get(address)).any(|node| side.is_astray(node))
}

/// Why something is not there: the first failure among all it rests on.
fn reason(part: &Model, root: &Address, failures: &[(String, String)]) -> String {
    let paths: BTreeSet<String> = closure(part, [root]).nodes().iter().map(|n| n.address.path()).collect();
    let found = failures.iter().find(|(at, _)| paths.contains(at));
    found.map_or_else(|| "scratch did not make it".to_owned(), |(_, why)| why.clone())
}

/// Builds as much of a model as can be built in a new database, and reads it back. The failures are the paths of
/// steps, in their order, with reasons.
async fn print(part: &Model, schemas: &[String], scratch: &mut Scratch) -> Result<(Model, Vec<(String, String)>)> {
    let roles: BTreeSet<String> = part.nodes().iter().flat_map(|n| kinds::kind_of(&n.address).roles(n)).collect();
    for role in roles {
        // What needs a role that cannot be had says so itself.
        let _ = scratch.roles(&[role]).await;
    }
    let steps = match build::operations(&Model::new(part.nodes().iter().map(build::bare).collect()), scratch.major()) {
        Ok(steps) => steps,
        Err(error) => {
            let all = part.nodes().iter().map(|n| (n.address.path(), error.to_string()));
            return Ok((Model::default(), all.collect()));
        }
    };
    let session = scratch.database().await?;
    build::prepare(&session, schemas).await?;
    let given = session.given().await?;
    session.client.batch_execute("BEGIN").await?;
    let mut waiting: Vec<plan::Step> = steps.into_iter().filter(|step| !given.contains(&step.at)).collect();
    let mut failures = Vec::new();
    let mut left = usize::MAX;
    // A body may mention what comes later: failed steps are tried again after the others, as long as that helps.
    while !waiting.is_empty() && waiting.len() < left {
        left = waiting.len();
        failures.clear();
        for step in std::mem::take(&mut waiting) {
            if let Some(why) = run(&session, &step).await? {
                failures.push((step.at.clone(), why));
                waiting.push(step);
            }
        }
    }
    let wanted = Wanted { schemas: schemas.to_vec(), extensions: None, ..Wanted::default() };
    Ok((read_back(&session, &wanted).await?, failures))
}

/// Runs a step wholly or not at all; why it cannot be run.
async fn run(session: &Session, step: &plan::Step) -> Result<Option<String>> {
    session.client.batch_execute("SAVEPOINT step").await?;
    for sql in &step.sql {
        if let Err(error) = session.client.batch_execute(sql).await {
            if error.as_db_error().is_none() {
                return Err(error.into());
            }
            session.client.batch_execute("ROLLBACK TO step; RELEASE step").await?;
            return Ok(Some(format!("{}: {}", step.address, Error::from(error).message())));
        }
    }
    session.client.batch_execute("RELEASE step").await?;
    Ok(None)
}
