//! What each step locks and writes anew, measured: each runs in a transaction of its own, because a lock that an
//! earlier step holds already would hide that the next one takes it.

use super::stage::Stage;
use super::trial::{statement, Known, Refusal, PATIENCE};
use super::Tried;
use crate::catalog::Session;
use crate::error::Result;
use crate::kinds::{Hazard, Lock};
use crate::model::Address;
use crate::plan::held::{self, Locks};
use crate::plan::{begin, Batch, HazardNote, Plan, Step};
use std::collections::{BTreeMap, BTreeSet};

/// The locks that this session holds on relations.
const HELD: &str = "\
select l.relation, l.mode from pg_locks l
where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.granted and l.relation >= 16384
  and l.database = (select oid from pg_database where datname = current_database())";

/// What others use: where it is, and in which file. A lock on an index is one on its table: whoever uses that opens
/// all of its indexes.
const PLACES: &str = "\
select c.oid, n.nspname::text, c.relname::text, c.relkind::text, pg_relation_filenode(c.oid),
       array (select i.indexrelid from pg_index i where i.indrelid = c.oid), pg_has_role(c.relowner, 'USAGE')
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = any ($1) and c.relkind in ('r', 'v', 'm', 'S')";

/// Of those, the ones that an open transaction has to do with.
const OF_THEM: &str = " and c.oid = any ($2)";

/// What the steps of a plan do, there and back; None where a batch was not run.
pub struct Measured {
    there: Vec<Option<BatchEffect>>,
    /// For each batch, those of its way back.
    back: Vec<Vec<Option<BatchEffect>>>,
}

/// What a batch does.
struct BatchEffect {
    steps: Vec<Effect>,
    /// By the names that relations have before it.
    locks: Locks,
}

/// What a step does to relations that were there before the way it is on, by the names they have then.
#[derive(Default)]
struct Effect {
    locks: Locks,
    rewritten: BTreeSet<Address>,
    /// Estimated rows of the relations above.
    sizes: BTreeMap<Address, u64>,
}

/// Relations that were there at the beginning of a way.
#[derive(Clone, Default)]
struct Followed {
    /// By OID.
    places: BTreeMap<u32, Place>,
    /// The relation of each index.
    indexes: BTreeMap<u32, u32>,
    /// Rows of those that were dropped, and of those that have taken their place.
    gone: BTreeMap<Address, u64>,
    anew: BTreeMap<Address, u64>,
}

#[derive(Clone)]
struct Place {
    address: Address,
    file: Option<u32>,
    rows: u64,
    /// Whether the role that runs the plan may lock it as it likes. What others do there with rights of theirs locks it when
    /// its time comes.
    own: bool,
}

/// Runs a plan and its way back step by step.
pub async fn steps(stage: &Stage, known: &Known<'_>) -> Tried<Measured> {
    let batches = &known.draft.plan.batches;
    let size = |address: &Address| known.size(address);
    let mut followed = Followed::new(stage, known, &size).await?;
    let mut measured = Measured { there: Vec::new(), back: batches.iter().map(|_| Vec::new()).collect() };
    for batch in batches {
        let effect = run(stage, batch, &mut followed, known).await?;
        measured.there.push(effect.map_err(|refusal| refusal.judged(known, 1))?);
    }
    'back: for (batch, effects) in batches.iter().zip(&mut measured.back).rev() {
        for undo in &batch.undo {
            // Whoever goes back finds also what the plan has made.
            let sizes = followed.sizes();
            let rows = |address: &Address| sizes.get(address).copied().unwrap_or(0);
            let mut found = Followed::new(stage, known, &rows).await?;
            let effect = run(stage, undo, &mut found, known).await?;
            followed = found;
            // What the way back runs into is told by those who run it as a whole.
            let Ok(effect) = effect else { break 'back };
            effects.push(effect);
        }
    }
    Ok(measured)
}

/// Runs a batch. What cannot run in a transaction lets go of its locks before they can be looked at.
async fn run<'a>(
    stage: &Stage,
    batch: &'a Batch,
    followed: &mut Followed,
    known: &Known<'_>,
) -> Tried<std::result::Result<Option<BatchEffect>, Refusal<'a>>> {
    let first = followed.clone();
    let mut effect = BatchEffect { steps: Vec::new(), locks: Locks::new() };
    let within = !batch.outside_transaction();
    for step in &batch.steps {
        let mut sql: Vec<&str> = stage.statements(step).iter().map(String::as_str).collect();
        let begin = begin(PATIENCE);
        if within {
            sql.insert(0, &begin);
        }
        for sql in sql {
            if let Err(refusal) = statement(stage, Some(step), sql).await {
                return Ok(Err(refusal));
            }
        }
        let done = followed.after(stage, known, &first, &mut effect.locks).await?;
        if within {
            if let Err(refusal) = statement(stage, Some(step), "COMMIT").await {
                return Ok(Err(refusal));
            }
        }
        effect.steps.push(done);
    }
    Ok(Ok(within.then_some(effect)))
}

impl Followed {
    async fn new(session: &Session, known: &Known<'_>, rows: &dyn Fn(&Address) -> u64) -> Result<Self> {
        Self::found(session.client.query(PLACES, &[&known.subject.wanted.schemas]).await?, known, rows)
    }

    fn found(found: Vec<tokio_postgres::Row>, known: &Known<'_>, rows: &dyn Fn(&Address) -> u64) -> Result<Self> {
        let mut followed = Self::default();
        for row in found {
            let (schema, name): (String, String) = (row.try_get(1)?, row.try_get(2)?);
            let kind = match row.try_get(3)? {
                "v" => "view",
                "m" => "materialized view",
                "S" => "sequence",
                _ => "table",
            };
            let address = Address::root("schema", &schema).child(kind, &name);
            // Parts of others, such as the sequence of an identity, are nobody's business.
            if known.is_managed(&address) {
                let rows = rows(&address);
                let oid: u32 = row.try_get(0)?;
                let indexes: Vec<u32> = row.try_get(5)?;
                followed.indexes.extend(indexes.into_iter().map(|index| (index, oid)));
                let own = row.try_get(6)?;
                followed.places.insert(oid, Place { address, file: row.try_get(4)?, rows, own });
            }
        }
        Ok(followed)
    }

    /// Rows by address.
    fn sizes(&self) -> BTreeMap<Address, u64> {
        let mut sizes = self.anew.clone();
        sizes.extend(self.places.values().map(|place| (place.address.clone(), place.rows)));
        sizes
    }

    /// What the open transaction did; `all` gets its locks by the names in `first`.
    async fn after(&mut self, session: &Session, known: &Known<'_>, first: &Self, all: &mut Locks) -> Result<Effect> {
        let mut effect = Effect::default();
        if self.places.is_empty() && self.gone.is_empty() {
            return Ok(effect);
        }
        // What a statement makes, drops or writes anew it has locked.
        let mut locked: BTreeSet<u32> = BTreeSet::new();
        for row in session.client.query(HELD, &[]).await? {
            let (oid, lock) = (row.try_get(0)?, lock_of(row.try_get(1)?));
            let oid = self.indexes.get(&oid).copied().unwrap_or(oid);
            locked.insert(oid);
            if let Some(place) = self.places.get(&oid) {
                held::add(&mut effect.locks, [(place.address.clone(), lock)]);
                effect.sizes.insert(place.address.clone(), place.rows);
            }
            if let Some(place) = first.places.get(&oid).filter(|place| place.own) {
                held::add(all, [(place.address.clone(), lock)]);
            }
        }
        let oids: Vec<u32> = locked.into_iter().collect();
        let query = format!("{PLACES}{OF_THEM}");
        let found = session.client.query(&query, &[&known.subject.wanted.schemas, &oids]).await?;
        let mut now = Self::found(found, known, &|_| 0)?;
        self.indexes.append(&mut now.indexes);
        for oid in oids {
            let Some(place) = self.places.remove(&oid) else { continue };
            let Some(found) = now.places.remove(&oid) else {
                self.gone.insert(place.address, place.rows);
                continue;
            };
            if place.file != found.file {
                effect.rewritten.insert(place.address);
            }
            self.places.insert(oid, Place { rows: place.rows, ..found });
        }
        // What takes the place of something is that thing made anew.
        for place in now.places.values() {
            if let Some(rows) = self.gone.remove(&place.address) {
                effect.sizes.insert(place.address.clone(), rows);
                effect.rewritten.insert(place.address.clone());
                self.anew.insert(place.address.clone(), rows);
            }
        }
        Ok(effect)
    }
}

fn lock_of(mode: &str) -> Lock {
    match mode {
        "AccessShareLock" => Lock::AccessShare,
        "RowShareLock" => Lock::RowShare,
        "RowExclusiveLock" => Lock::RowExclusive,
        "ShareUpdateExclusiveLock" => Lock::ShareUpdateExclusive,
        "ShareLock" => Lock::Share,
        "ShareRowExclusiveLock" => Lock::ShareRowExclusive,
        "ExclusiveLock" => Lock::Exclusive,
        "AccessExclusiveLock" => Lock::AccessExclusive,
        _ => Lock::None,
    }
}

/// Writes what was measured into the plan; gives in words where the plan said otherwise.
pub fn write_down(plan: &mut Plan, measured: &Measured) -> Vec<String> {
    let mut corrections = Vec::new();
    for (batch, effect) in plan.batches.iter_mut().zip(&measured.there) {
        correct(batch, effect.as_ref(), "", &mut corrections);
    }
    for (batch, effects) in plan.batches.iter_mut().zip(&measured.back) {
        for (undo, effect) in batch.undo.iter_mut().zip(effects) {
            correct(undo, effect.as_ref(), "on the way back, ", &mut corrections);
        }
    }
    corrections
}

fn correct(batch: &mut Batch, effect: Option<&BatchEffect>, way: &str, corrections: &mut Vec<String>) {
    let Some(effect) = effect else { return };
    for (step, Effect { locks, rewritten, sizes }) in batch.steps.iter_mut().zip(&effect.steps) {
        let sizes = |address: &Address| sizes.get(address).copied().unwrap_or(0);
        let said = words(step);
        step.holds(locks, &sizes);
        let is = words(step);
        if said != is {
            corrections.push(format!("{way}{} {} takes {is}, not {said}", step.verb, step.address));
        }
        let rewritten: Vec<&Address> = rewritten.iter().filter(|a| sizes(a) > 0).collect();
        let announced = step.hazards.iter().any(|note| note.hazard == Hazard::Rewrites);
        if announced == rewritten.is_empty() {
            let not = if announced { "nothing" } else { "a table" };
            corrections.push(format!("{way}{} {} writes {not} anew", step.verb, step.address));
        }
        // One that is announced and did not come stays: to be told too much costs nobody a table.
        for table in rewritten.iter().filter(|_| !announced) {
            let mut note = |hazard: Hazard, why: String| {
                let needs_leave = hazard.needs_leave(sizes(table));
                step.hazards.push(HazardNote { hazard, why, needs_leave });
            };
            note(Hazard::Rewrites, format!("{table} is written anew"));
            note(Hazard::BlocksReads, format!("nobody can read or write {table} meanwhile"));
        }
    }
    // What comes first must cover all that the steps take.
    let said: BTreeSet<(String, Lock)> = batch.locks.iter().map(|l| (l.table.clone(), l.mode)).collect();
    let taken = held::taken_first(&effect.locks);
    let is: BTreeSet<(String, Lock)> = taken.iter().map(|l| (l.table.clone(), l.mode)).collect();
    for (table, mode) in said.symmetric_difference(&is) {
        let not = if is.contains(&(table.clone(), *mode)) { "should" } else { "need not" };
        corrections.push(format!("{way}the transaction {not} lock {table} in {} mode", mode.sql()));
    }
    batch.locks = taken;
}

fn words(step: &Step) -> String {
    if step.on.is_empty() {
        step.lock.sql().to_owned()
    } else {
        format!("{} on {}", step.lock.sql(), step.on.join(", "))
    }
}
