//! The rehearsal of a plan, before anyone sees it.
//!
//! The part of the actual state that the plan has to do with is rebuilt in scratch, with a few made-up rows where
//! such can be found. There the plan is run as `apply` runs it, and its way back; the result must be what is
//! desired, and then what was there before. A second run, step by step, measures what the plan says of locks and
//! rewrites. A plan that fails is a defect of this program: it is reported and never becomes a file.
//!
//! - `part`: what is rebuilt; `stage`: the database it is rebuilt in; `rows`, `values`: rows for it;
//! - `trial`: the run there and back; `verdict`: whether it led where it should;
//! - `measure`: what each step locks and writes anew;
//! - `failure`: the report.
//!
//! What cannot be tried (no server, something that is not managed and so not rebuilt) makes a plan that says so.

mod failure;
mod measure;
mod part;
mod rows;
mod stage;
mod trial;
mod values;
mod verdict;

use crate::catalog::{Live, Session, Wanted};
use crate::compile::closure::closure;
use crate::compile::surroundings::{self, Ground, Owned};
use crate::compile::{extension, Place, Scratch};
use crate::declare::Declaration;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plan::{Draft, Rehearsal, Rehearsed};
use failure::Failure;
use part::Part;
use rows::Fill;
use std::collections::BTreeSet;
use std::time::Instant;

/// What a plan was made from.
pub struct Subject<'a> {
    pub live: &'a Live,
    pub desired: &'a Model,
    pub wanted: &'a Wanted,
    /// What others own of what it rests on.
    pub ground: Option<&'a Declaration>,
}

impl<'a> Subject<'a> {
    /// What a plan was made from, before it is known what others own of that.
    pub fn new(live: &'a Live, desired: &'a Model, wanted: &'a Wanted) -> Self {
        Self { live, desired, wanted, ground: None }
    }
}

/// What a rehearsal found out besides what it wrote into the plan.
#[derive(Debug, Default)]
pub struct Findings {
    /// Where the kinds announce another lock or rewrite than was measured: mistakes of theirs, which the plan does
    /// not repeat.
    pub corrections: Vec<String>,
}

/// Why a trial ended early.
enum Stop {
    /// It cannot be tried, and that says nothing about the plan.
    Unable(String),
    /// The made-up rows are not what the plan is for.
    Refused(String),
    Failed(Box<Failure>),
    /// What the declaration says on how to get there is wrong.
    Mistaken(Error),
}

type Tried<T> = std::result::Result<T, Stop>;

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Unable(error.line())
    }
}

impl From<tokio_postgres::Error> for Stop {
    fn from(error: tokio_postgres::Error) -> Self {
        Error::from(error).into()
    }
}

/// Rehearses a plan in a scratch of its own; one that cannot be had is noted in the plan. The session is one on the
/// target: what others own there is asked of it.
///
/// # Errors
/// The plan failed, with a report; it needs something of others that the target does not have.
pub async fn rehearse(
    place: &Place,
    env: &dyn Fn(&str) -> Option<String>,
    session: &Session,
    subject: Subject<'_>,
    draft: &mut Draft,
    progress: &dyn Fn(&str),
) -> Result<Findings> {
    if draft.plan.is_empty() {
        return Ok(Findings::default());
    }
    let part = Part::of(&subject, draft);
    let found = match ground(session, &subject, &part, draft).await {
        Ok(Ground::Known(ground)) => Ok(ground),
        Ok(Ground::Lacking(error)) => return Err(error),
        Ok(Ground::Beyond(why)) => Err(why),
        // A plan is not worse for what could not be asked: something may have been dropped meanwhile.
        Err(error) => Err(error.line()),
    };
    let ground = match found {
        Ok(ground) => ground,
        Err(why) => {
            draft.plan.untried(&why);
            return Ok(Findings::default());
        }
    };
    let subject = &Subject { ground: ground.as_deref(), ..subject };
    let theirs = ground.iter().flat_map(|ground| &ground.drafts).filter_map(|draft| extension(&draft.node));
    let extensions: BTreeSet<String> = part.extensions.iter().cloned().chain(theirs.map(|(name, _)| name)).collect();
    let extensions: Vec<String> = extensions.into_iter().collect();
    match Scratch::open(place, draft.plan.reads.major, &extensions, env).await {
        Ok(mut scratch) => {
            progress(&format!("rehearsing on {}", scratch.words));
            let result = within(&mut scratch, subject, &part, draft, progress).await;
            // What is left of it goes later: a plan is not worse for it.
            let _ = scratch.close().await;
            result
        }
        Err(error) => {
            draft.plan.untried(&error.line());
            Ok(Findings::default())
        }
    }
}

/// What others own of what is there and of what will be.
async fn ground(session: &Session, subject: &Subject<'_>, part: &Part, draft: &Draft) -> Result<Ground> {
    let after = closure(subject.desired, &draft.touched);
    let Wanted { schemas, ignore, rows: _, extensions: _ } = subject.wanted;
    session.snapshot().await?;
    let ground = surroundings::around(session, &[&part.model, &after], &Owned { schemas, ignore }).await;
    session.release().await?;
    ground
}

async fn within(
    scratch: &mut Scratch,
    subject: &Subject<'_>,
    part: &Part,
    draft: &mut Draft,
    progress: &dyn Fn(&str),
) -> Result<Findings> {
    let started = Instant::now();
    let outcome = tries(scratch, subject, part, draft).await;
    let took = started.elapsed().as_secs_f64();
    match outcome {
        Ok((rehearsal, measured)) => {
            progress(&format!(
                "rehearsed in {took:.2} s: {} things rebuilt, {} made-up rows",
                part.model.nodes().len(),
                rehearsal.rows
            ));
            draft.plan.rehearsed = Some(Rehearsed::On(rehearsal));
            let corrections = measure::write_down(&mut draft.plan, &measured);
            corrections.iter().for_each(|c| progress(&format!("measured: {c}")));
            Ok(Findings { corrections })
        }
        Err(Stop::Unable(why) | Stop::Refused(why)) => {
            draft.plan.untried(&why);
            Ok(Findings::default())
        }
        Err(Stop::Failed(failure)) => Err(failure.report(&draft.plan)),
        Err(Stop::Mistaken(error)) => Err(error),
    }
}

/// With rows of all sorts; where the plan refuses them, as it may, with fewer.
async fn tries(
    scratch: &mut Scratch,
    subject: &Subject<'_>,
    part: &Part,
    draft: &Draft,
) -> Tried<(Rehearsal, measure::Measured)> {
    let (role, missing) = stage::roles(scratch, part, &subject.live.surroundings).await?;
    let part = &part.without(&missing, draft)?;
    let mut refused = String::new();
    for fill in [Fill::WithNulls, Fill::Complete, Fill::Bare] {
        match trial::run(scratch, &role, subject, part, draft, fill).await {
            Err(Stop::Refused(why)) => refused = why,
            // Rows that are there may fare as the made-up ones did.
            Ok((mut rehearsal, measured)) if fill == Fill::Bare => {
                rehearsal.notes.push(refused);
                return Ok((rehearsal, measured));
            }
            outcome => return outcome,
        }
    }
    Err(Stop::Unable(refused))
}
