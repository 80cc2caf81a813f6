//! Builds a declaration as far as the server does, and finds what is wrong with the rest.
//!
//! Problem: all independent mistakes are to be found in one run, and a refused statement ends what was begun with it. To
//! try each in a subtransaction costs the more, the more was built before in the same transaction (AtEOSubXact_cleanup,
//! AtSubCommit_smgr and LockReassignCurrentOwner go through all of it).
//! Method: what is small is built in one transaction. What is large is built block by block, each in a transaction of its
//! own. What a block refuses is tried step by step, and once more when all else is there. Then what is wrong is left out,
//! and the rest is built anew.
//! Cost: linear in what is built, for each round; a second round where there are mistakes, further ones where these hid
//! others.
//! Failure: a room in which something large was refused is of no more use.

use super::build::{blocks, draft, first_steps, missing, operations, prepare, run, search_path, Names, Refusal, Unit};
use super::clones::Clones;
use super::mistakes::{Failure, Mistakes};
use super::scratch::{Built, Later, Room};
use crate::catalog::Session;
use crate::declare::Declaration;
use crate::error::{Error, Pos, Problem, Result};
use crate::kinds::{self, Draft};
use crate::model::{Address, Model, Node};
use crate::plan;
use crate::sql::Ident;
use std::collections::HashMap;

/// What to do where scratch may not do what a superuser may.
const NO_RIGHTS: &str = "what is declared has no superuser's rights in scratch; where it needs them to be \
                         defined, name a server of your own with `--scratch URL`, as a superuser there";

/// Attempts to build a part of a declaration. All independent mistakes are reported, each where it was written.
pub struct Attempts<'a> {
    declaration: &'a Declaration,
    whole: Model,
    later: Vec<Later>,
    /// From how many referrers on a table is cloned.
    many: Option<usize>,
    /// Whether each block is committed.
    apart: bool,
    mistakes: Mistakes,
}

impl<'a> Attempts<'a> {
    /// Tables with `many` referrers are cloned.
    pub fn new(room: &Room, declaration: &'a Declaration, part: &Model, many: Option<usize>) -> Self {
        let (whole, later) = draft(room, declaration, part);
        let apart = whole.nodes().len() >= room.large;
        Self { declaration, whole, later, many, apart, mistakes: Mistakes::default() }
    }

    /// Attempts in one transaction, whatever its size.
    pub fn together(self) -> Self {
        Self { apart: false, ..self }
    }

    /// What is left in a room after an attempt that failed.
    pub fn left(&self) -> Built {
        if self.apart {
            Built::Committed
        } else {
            Built::Open
        }
    }

    /// One attempt. None if it failed, and another one in a room without what is left of it can find more.
    ///
    /// # Errors
    /// All mistakes that were found; the connection is lost.
    pub async fn next(&mut self, room: &Room, progress: &dyn Fn(&str)) -> Result<Option<(Built, Clones)>> {
        prepare(room, &self.declaration.settings.schemas).await?;
        let model = self.mistakes.without(&self.whole);
        let (failures, clones) = self.attempt(room, &model, progress).await?;
        if failures.is_empty() && self.mistakes.is_empty() {
            let settings = &self.declaration.settings;
            return Ok(Some((room.end(&model, &self.later, settings, Some(self.declaration)).await?, clones)));
        }
        room.client.batch_execute("ROLLBACK").await?;
        if !self.mistakes.note(failures, &model) {
            return Err(std::mem::take(&mut self.mistakes).into_error());
        }
        if self.apart {
            progress("something is wrong: building all else, to see whether that is all");
        }
        Ok(None)
    }

    /// Builds as much of a model as can be built; what the server refused, and the clones that are used. Leaves a
    /// transaction open.
    async fn attempt(&self, room: &Room, model: &Model, progress: &dyn Fn(&str)) -> Result<(Vec<Failure>, Clones)> {
        let given = room.given().await?;
        let (mut steps, clones) = first_steps(model, room.major, self.many)?;
        steps.retain(|step| !given.contains(&step.at));
        let names = Names::new(self.declaration, &clones);
        // What a clone refuses is tried with the table itself, which has the last word.
        let direct = if clones.are_none() { Vec::new() } else { missing(model, room.major, &given)? };
        let direct = direct.into_iter().filter(|step| clones.is_referrer(&step.at));
        let direct = direct.map(|step| (step.at.clone(), step)).collect();
        let unit = if self.apart { Unit::Transaction } else { Unit::Savepoint };
        let mut trial = Trial { session: room, names: &names, unit, direct, progress };
        if !self.apart {
            room.client.batch_execute("BEGIN").await?;
        }
        let refused = trial.build(steps).await?;
        if self.apart {
            room.client.batch_execute("BEGIN").await?;
        }
        let mut failures = Vec::new();
        for (step, (sql, error)) in refused.iter().filter(|(step, _)| clones.home(&step.at).is_none()) {
            let draft = names.draft(step);
            let inside = match (draft, found_inside(sql, error, draft, &names, model)) {
                (Some(draft), None) => culprit(room, step, error, draft, &names, model).await?,
                (_, found) => found,
            };
            failures.push(failure(step, error, draft, inside, self.declaration));
        }
        failures.extend(bodies(room, self.declaration).await?);
        Ok((failures, clones))
    }
}

/// How steps are tried.
struct Trial<'a> {
    session: &'a Session,
    names: &'a Names<'a>,
    unit: Unit,
    /// What takes the place of steps with clones that are refused, by its path.
    direct: HashMap<String, plan::Step>,
    progress: &'a dyn Fn(&str),
}

impl Trial<'_> {
    /// Runs steps; those that are refused although all others are there.
    async fn build(&mut self, steps: Vec<plan::Step>) -> Result<Vec<(plan::Step, Refusal)>> {
        let names = self.names;
        let mut refused = Vec::new();
        for block in blocks(steps, &|step| names.path(step)) {
            // Most declarations hold no mistake.
            if !block.run(self.session, self.unit).await? {
                if refused.is_empty() && self.unit == Unit::Transaction {
                    (self.progress)("something is refused: trying each thing by itself");
                }
                refused.extend(self.one_by_one(block.steps).await?);
            }
        }
        // What the parse tree could not tell (operators, casts) shows as a failure: such steps are tried again
        // after the others, as long as that helps.
        let mut before = usize::MAX;
        while !refused.is_empty() && refused.len() < before {
            before = refused.len();
            refused = self.one_by_one(refused.into_iter().map(|(step, _)| step).collect()).await?;
        }
        Ok(refused)
    }

    async fn one_by_one(&mut self, steps: Vec<plan::Step>) -> Result<Vec<(plan::Step, Refusal)>> {
        let mut refused = Vec::new();
        for mut step in steps {
            let mut outcome = run(self.session, &step, self.unit, &self.names.path(&step)).await?;
            if let Some(itself) = outcome.as_ref().and_then(|_| self.direct.remove(&step.at)) {
                step = itself;
                outcome = run(self.session, &step, self.unit, &self.names.path(&step)).await?;
            }
            refused.extend(outcome.map(|refusal| (step, refusal)));
        }
        Ok(refused)
    }
}

/// What of a thing's parts makes its creation fail, where the server does not say: the one without which it
/// does not fail so.
async fn culprit(
    session: &Session,
    step: &plan::Step,
    error: &tokio_postgres::Error,
    draft: &Draft,
    names: &Names<'_>,
    model: &Model,
) -> Result<Option<(Address, Pos)>> {
    let whole = &draft.node.address;
    let words = |error: &tokio_postgres::Error| error.as_db_error().map(|db| db.message().to_owned());
    let alone: Vec<&Node> = model.subtree(whole).collect();
    // What uses columns is rather at fault than they are.
    let (columns, others): (Vec<&Node>, Vec<&Node>) =
        alone.iter().copied().filter(|n| n.address != *whole).partition(|n| n.address.kind() == "column");
    // First everything, to see that it fails so by itself.
    for part in std::iter::once(None).chain(others.into_iter().chain(columns).map(Some)) {
        let left = alone.iter().filter(|n| part.is_none_or(|p| !n.address.is_within(&p.address)));
        let Ok(steps) = operations(&Model::new(left.map(|n| (*n).clone()).collect()), session.major) else { continue };
        let Some(trial) = steps.into_iter().find(|s| s.at == step.at) else { continue };
        session.client.batch_execute("SAVEPOINT trial").await?;
        let refused = run(session, &trial, Unit::Savepoint, &search_path(whole.schema(), names.settings)).await?;
        session.client.batch_execute("ROLLBACK TO trial; RELEASE trial").await?;
        let same = refused.is_some_and(|(_, e)| words(&e) == words(error));
        match part {
            None if !same => return Ok(None),
            Some(part) if !same => {
                let draft = names.within(&part.address).find(|d| d.node.address == part.address);
                return Ok(draft.map(|d| (d.node.address.clone(), d.pos.clone())));
            }
            None | Some(_) => {}
        }
    }
    Ok(None)
}

/// Validates string bodies now that everything they may mention is there.
pub(super) async fn bodies(session: &Session, declaration: &Declaration) -> Result<Vec<Failure>> {
    let mut problems = Vec::new();
    let schemas = &declaration.settings.schemas;
    let rows = session
        .client
        .query(
            "select p.oid, n.nspname::text, p.proname::text, l.lanvalidator::regproc::text,
                    pg_get_function_identity_arguments(p.oid), oidvectortypes(p.proargtypes)
             from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
             where n.nspname = any ($1) and l.lanvalidator <> 0 and p.prokind in ('f', 'p', 'w')
               and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
             order by p.oid",
            &[schemas],
        )
        .await?;
    for row in rows {
        let (oid, schema, name, validator): (u32, String, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        let path: Vec<String> = std::iter::once(&schema)
            .chain(schemas)
            .map(|s| Ident(s).to_string())
            .chain(["public".to_owned()])
            .collect();
        let sql = format!(
            "SAVEPOINT body; SET LOCAL search_path = {}; SET LOCAL check_function_bodies = on; SELECT {validator}({oid})",
            path.join(", ")
        );
        if let Err(error) = session.client.batch_execute(&sql).await {
            let types: String = row.try_get(5)?;
            let parent = Address::root("schema", &schema);
            let draft = declaration.drafts.iter().find(|d| {
                ["function", "procedure"].contains(&d.node.address.kind())
                    && kinds::routine::bare_name(&d.node.address).as_deref() == Some(name.as_str())
                    && d.node.address.parent().as_ref() == Some(&parent)
                    && (d.node.address.name().ends_with(&format!("({types})")))
            });
            let pos = draft.map_or_else(|| declaration.sources.start(), |d| d.pos.clone());
            let code = sqlstate(&error);
            let words = Error::from(error).to_string();
            problems.push(Failure {
                of: draft.map_or_else(String::new, |d| d.node.address.path()),
                culprit: None,
                problem: Problem::new(&pos, format!("body of {name}: {words}")),
                message: words,
                code,
            });
            session.client.batch_execute("ROLLBACK TO body").await?;
        }
        session.client.batch_execute("ROLLBACK TO body").await?;
    }
    Ok(problems)
}

/// A refusal with its place in the YAML: the part that is at fault, else where the thing is declared.
fn failure(
    step: &plan::Step,
    error: &tokio_postgres::Error,
    draft: Option<&Draft>,
    inside: Option<(Address, Pos)>,
    declaration: &Declaration,
) -> Failure {
    let message = error.as_db_error().map_or_else(
        || error.to_string(),
        |db| {
            let detail = db.detail().map(|d| format!("; {d}")).unwrap_or_default();
            format!("{} ({}){detail}", db.message(), db.code().code())
        },
    );
    let own = || draft.map(|d| (d.node.address.clone(), d.pos.clone()));
    let (culprit, words, pos) = match inside.or_else(own) {
        Some((address, pos)) => (Some(address.clone()), address.to_string(), pos),
        None => (plan::address_of(&step.at), step.address.clone(), declaration.sources.start()),
    };
    let mut problem = Problem::new(&pos, format!("{words}: {message}"));
    problem.hint = error.as_db_error().and_then(|db| db.hint()).map(str::to_owned);
    if error.code() == Some(&tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE) && problem.hint.is_none() {
        problem = problem.hint(NO_RIGHTS);
    }
    Failure { of: step.at.clone(), culprit, message, code: sqlstate(error), problem }
}

fn sqlstate(error: &tokio_postgres::Error) -> String {
    error.code().map_or_else(String::new, |code| code.code().to_owned())
}

/// The part at fault that the server points at: the fragment that holds the position, else the part that bears
/// the name it complains about.
fn found_inside(
    sql: &str,
    error: &tokio_postgres::Error,
    draft: Option<&Draft>,
    names: &Names<'_>,
    model: &Model,
) -> Option<(Address, Pos)> {
    use tokio_postgres::error::ErrorPosition;
    let (db, draft) = (error.as_db_error()?, draft?);
    // Riders are written inside the statement of their parent.
    let within = || names.within(&draft.node.address).filter(|d| model.get(&d.node.address).is_some());
    let at = match db.position() {
        Some(ErrorPosition::Original(position)) => {
            let chars = usize::try_from(*position).unwrap_or(1).saturating_sub(1);
            sql.char_indices().nth(chars).map(|(byte, _)| byte)
        }
        _ => None,
    };
    let mut found = None;
    // The longest text that stands there: short ones stand in many places.
    let mut longest = 0;
    for candidate in within() {
        for (fragment, scalar) in &candidate.fragments {
            let Some(scalar) = scalar else { continue };
            for (start, _) in sql.match_indices(&fragment.text) {
                let Some(at) = at.filter(|at| (start..start + fragment.text.len()).contains(at)) else { continue };
                if fragment.text.len() > longest {
                    longest = fragment.text.len();
                    let inside = scalar.text.find(&fragment.text).unwrap_or(0) + (at - start);
                    found = Some((candidate.node.address.clone(), scalar.position_of(inside)));
                }
            }
        }
    }
    let name = db.message().split('"').nth(1).filter(|_| found.is_none());
    let named = |d: &&Draft| d.node.address != draft.node.address && name == Some(d.node.address.name());
    found.or_else(|| within().find(named).map(|d| (d.node.address.clone(), d.pos.clone())))
}
