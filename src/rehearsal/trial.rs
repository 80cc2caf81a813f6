//! One trial: the plan is run as `apply` runs it, and then its way back.

use super::failure::Failure;
use super::measure::{self, Measured};
use super::part::Part;
use super::rows::{self, Fill};
use super::stage::{self, Role, Stage};
use super::{verdict, Stop, Subject, Tried};
use crate::catalog::{self, Session, Wanted};
use crate::compile::Scratch;
use crate::error::{Error, Result};
use crate::model::{Address, Model};
use crate::plan::{self, begin, Batch, Draft, Rehearsal, Step};
use std::collections::BTreeMap;
use tokio_postgres::error::{DbError, SqlState};

/// How long a statement waits for a lock. Nobody else is there.
pub const PATIENCE: &str = "10s";

/// Builds a stage, tries the plan there and back as a whole, and then step by step.
pub async fn run(
    scratch: &mut Scratch,
    role: &Role,
    subject: &Subject<'_>,
    part: &Part,
    draft: &Draft,
    fill: Fill,
) -> Tried<(Rehearsal, Measured)> {
    let known = Known { subject, part, draft };
    let stage = stage::build(scratch, role, subject, part, draft).await?;
    let rows = rows::fill(&stage, &known, fill).await?;
    let server = format!("PostgreSQL {}", stage.major);
    let Run { notes, returns } = whole(&stage, &known, rows).await?;
    // Where the way back led back, the stage is as it was.
    let measured = match returns {
        true => measure::steps(&stage, &known).await?,
        false => {
            let other = stage::build(scratch, role, subject, part, draft).await?;
            rows::fill(&other, &known, fill).await?;
            measure::steps(&other, &known).await?
        }
    };
    Ok((Rehearsal { server, rows, notes: stage.note().into_iter().chain(notes).collect() }, measured))
}

/// What is known of the plan and what it is tried on.
pub struct Known<'a> {
    pub subject: &'a Subject<'a>,
    pub part: &'a Part,
    pub draft: &'a Draft,
}

impl Known<'_> {
    /// What to read in scratch.
    pub fn wanted(&self) -> Wanted {
        let Wanted { schemas, ignore, rows, extensions } = self.subject.wanted;
        let rows = rows.iter().filter(|row| self.part.after.contains(&row.address)).cloned().collect();
        Wanted { schemas: schemas.clone(), ignore: ignore.clone(), rows, extensions: extensions.clone() }
    }

    /// Whether an address is one of ours, before the plan or after it.
    pub fn is_managed(&self, address: &Address) -> bool {
        self.draft.after.get(address).is_some() || self.subject.live.model.get(address).is_some()
    }

    /// Estimated rows of a live table.
    pub fn size(&self, address: &Address) -> u64 {
        self.draft.sizes.of(address)
    }
}

/// The run there and back, with `made_up` rows in the tables.
async fn whole(stage: &Stage, known: &Known<'_>, made_up: usize) -> Tried<Run> {
    let start = read(stage, known).await?;
    let before = rows::counts(stage, &start.tables).await?;
    for batch in &known.draft.plan.batches {
        transaction(stage, batch).await.map_err(|refusal| refusal.judged(known, made_up))?;
    }
    let reached = read(stage, known).await?;
    verdict::reached(&start.model, &reached.model, known)?;
    let after = rows::counts(stage, &start.tables).await?;
    let mut notes = verdict::kept(&before, &after, known)?;
    let stopped = back(stage, known, made_up).await?;
    if stopped.is_none() {
        let returned = read(stage, known).await?;
        verdict::returned(&stage.tried(&start.model), &stage.tried(&returned.model))?;
    }
    let returns = stopped.is_none();
    notes.extend(stopped);
    Ok(Run { notes, returns })
}

/// What came of a run there and back that went as it should.
struct Run {
    /// What is to be said of it.
    notes: Vec<String>,
    /// Whether the stage is as it was.
    returns: bool,
}

/// The way back, or why it was not tried to its end.
async fn back(stage: &Stage, known: &Known<'_>, made_up: usize) -> Tried<Option<String>> {
    for (n, batch) in known.draft.plan.batches.iter().enumerate().rev() {
        if batch.no_undo.is_some() {
            return Ok(Some(format!("the way back was not tried: transaction {} has none", n + 1)));
        }
        for undo in &batch.undo {
            match transaction(stage, undo).await.map_err(|refusal| refusal.judged(known, made_up)) {
                Ok(()) => {}
                Err(Stop::Refused(why) | Stop::Unable(why)) => {
                    return Ok(Some(format!("the way back was not tried to its end: {why}")))
                }
                Err(Stop::Failed(failure)) => return Err(Stop::Failed(Box::new(failure.on_the_way_back()))),
                Err(Stop::Mistaken(error)) => return Err(Stop::Mistaken(error)),
            }
        }
    }
    Ok(None)
}

/// A state of the stage.
struct State {
    model: Model,
    /// Its tables, by their OIDs in this one database.
    tables: BTreeMap<u32, Address>,
}

/// Reads the stage as a target is read.
async fn read(session: &Session, known: &Known<'_>) -> Result<State> {
    let loaded = catalog::load(session, &known.wanted(), catalog::Depth::Model).await?;
    session.release().await?;
    let of_table = |address: &Address| crate::kinds::kind_of(address).holds_rows();
    let ids = loaded.ids.iter().filter(|((class, _, _), address)| *class == "pg_class" && of_table(address));
    let tables = ids.map(|((_, oid, _), address)| (*oid, address.clone())).collect();
    Ok(State { model: loaded.model, tables })
}

/// A statement that was refused.
pub struct Refusal<'a> {
    pub step: Option<&'a Step>,
    pub sql: String,
    pub error: tokio_postgres::Error,
}

/// Runs a batch with the statements and in the transaction that `apply` gives it.
async fn transaction<'a>(stage: &Stage, batch: &'a Batch) -> std::result::Result<(), Refusal<'a>> {
    let within = !batch.outside_transaction();
    if within {
        statement(stage, None, &begin(PATIENCE)).await?;
    }
    for lock in &batch.locks {
        statement(stage, None, &lock.sql()).await?;
    }
    for step in &batch.steps {
        for sql in stage.statements(step) {
            statement(stage, Some(step), sql).await?;
        }
    }
    if within {
        statement(stage, None, "COMMIT").await?;
    }
    Ok(())
}

/// Runs one statement; when it fails, its transaction is ended.
pub async fn statement<'a>(
    session: &Session,
    step: Option<&'a Step>,
    sql: &str,
) -> std::result::Result<(), Refusal<'a>> {
    let Err(error) = session.client.batch_execute(sql).await else { return Ok(()) };
    // Where the connection is gone this fails too, and the first failure is the one to tell.
    let _ = session.release().await;
    Err(Refusal { step, sql: sql.to_owned(), error })
}

impl Refusal<'_> {
    /// What the refusal says of the plan; `made_up` rows were there.
    pub fn judged(self, known: &Known<'_>, made_up: usize) -> Stop {
        let Some(error) = self.error.as_db_error() else { return Stop::Unable(Error::from(self.error).line()) };
        let words = format!("{} ({})", error.message(), error.code().code());
        if concerns_rows(error) {
            return match made_up {
                0 if self.step.is_some_and(|step| !step.data.is_empty()) => Stop::Unable(format!(
                    "rows that it writes are refused, without those that only the database has: {words}"
                )),
                0 => Stop::Unable(format!("it needs rows that only the database has: {words}")),
                _ => Stop::Refused(format!("made-up rows are refused: {words}")),
            };
        }
        if [SqlState::INSUFFICIENT_PRIVILEGE, SqlState::UNDEFINED_FILE].contains(error.code()) {
            return Stop::Unable(format!("scratch is not equipped for it: {words}"));
        }
        if let Some(name) = missing(error).filter(|name| !known.knows(name, error)) {
            return Stop::Unable(format!("it uses {name}, which is not managed and so not there in scratch"));
        }
        if let Some(mistake) = self.mistaken(known, &words) {
            return Stop::Mistaken(mistake);
        }
        Stop::Failed(Box::new(Failure::refused(self.step, &self.sql, &words)))
    }
}

impl Refusal<'_> {
    /// The statement holds an expression that only says how to get to what is declared, and that nothing has compiled before:
    /// then this is what is wrong, as far as can be told.
    fn mistaken(&self, known: &Known<'_>, words: &str) -> Option<Error> {
        let address = plan::address_of(&self.step?.at)?;
        let hints = known.subject.desired.get(&address)?.hints.as_deref()?;
        let said = [("backfill", &hints.backfill), ("convert", &hints.convert)];
        let (key, _) =
            said.into_iter().find(|(_, text)| text.as_deref().is_some_and(|text| self.sql.contains(text)))?;
        let error = Error::new(format!("{address}: its `{key}` is refused: {words}"));
        Some(error.with_hint("it names columns as they are called after the plan, and functions with their schemas"))
    }
}

/// Whether rows, or what a function does with them, are the reason: classes 22 and 23, and errors that are raised
/// inside a function, whose body may use what nobody can know.
fn concerns_rows(error: &DbError) -> bool {
    let class = error.code().code().get(..2).unwrap_or_default();
    let inside = error.where_().is_some_and(|place| place.contains("function"));
    class == "22" || class == "23" || inside || *error.code() == SqlState::RAISE_EXCEPTION
}

/// The qualified name that an error says is not there.
fn missing(error: &DbError) -> Option<String> {
    let codes = [
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_FUNCTION,
        SqlState::UNDEFINED_OBJECT,
        SqlState::INVALID_SCHEMA_NAME,
    ];
    if !codes.contains(error.code()) {
        return None;
    }
    let message = error.message().strip_suffix(" does not exist")?;
    let quoted = message.split_once('"').and_then(|(_, rest)| rest.strip_suffix('"'));
    let name = quoted.or_else(|| message.split_once(' ').map(|(_, name)| name))?;
    Some(name.to_owned())
}

impl Known<'_> {
    /// Whether something of that name is managed, before the plan or after it; so is whatever no schema is said of.
    fn knows(&self, name: &str, error: &DbError) -> bool {
        let models = [&self.subject.live.model, &self.draft.after];
        if *error.code() == SqlState::INVALID_SCHEMA_NAME {
            return models.iter().any(|model| model.get(&Address::root("schema", name)).is_some());
        }
        let Some((schema, name)) = name.split_once('.') else { return true };
        let same = |address: &Address| {
            let bare = address.name().split('(').next().unwrap_or_default();
            address.depth() == 2 && address.schema() == schema && (bare == name || address.name() == name)
        };
        models.iter().any(|model| model.nodes().iter().any(|node| same(&node.address)))
    }
}
