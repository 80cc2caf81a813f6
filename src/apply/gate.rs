//! What has to hold before anything is touched.

use crate::catalog::{self, Loaded, Session, Surroundings};
use crate::error::{Error, Result};
use crate::kinds::Hazard;
use crate::model::Address;
use crate::plan::{self, address_of, fingerprint, not_allowed, spec_fingerprint, Allowed, Batch, Plan};
use std::collections::BTreeSet;

/// The plan was made for this very database and server major.
pub fn identity(plan: &Plan, session: &Session) -> Result<()> {
    let (made, here) = (&plan.target.identity, &session.identity);
    let system = match (&made.system, &here.system) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    if !system || made.database != here.database || made.database_oid != here.database_oid {
        let message = format!(
            "the plan was made for database {} of another server or another database of that name; this is {}",
            made.database, here.database
        );
        return Err(Error::new(message).with_hint("make a plan for this database with `pgplumb plan`"));
    }
    if plan.reads.major != session.major {
        let message = format!("the plan was made for PostgreSQL {}, the server is {}", plan.reads.major, session.major);
        return Err(Error::new(message).with_hint("make the plan anew with `pgplumb plan`"));
    }
    Ok(())
}

/// The server takes changes: during recovery, a hot standby can only be read (PostgreSQL manual, "Hot Standby").
pub async fn writable(session: &Session) -> Result<()> {
    let row = session.client.query_one("select pg_catalog.pg_is_in_recovery()", &[]).await?;
    if row.try_get(0)? {
        let hint = "run it on the primary: a plan that was made on its standby holds there too";
        return Err(Error::new("this server is a hot standby, which can only be read").with_hint(hint));
    }
    Ok(())
}

/// None of the hazards is one that may never happen on this target.
pub fn never<'a>(hazards: impl IntoIterator<Item = (Hazard, &'a str, &'a str)>, never: &[Hazard]) -> Result<()> {
    let Some((hazard, address, why)) = hazards.into_iter().find(|(hazard, _, _)| never.contains(hazard)) else {
        return Ok(());
    };
    let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
    Err(Error::new(format!("{address}: {}{why} may never happen on this target", hazard.word()))
        .with_hint("`never` in pgplumb.yaml says so"))
}

/// Every hazard was allowed, and none is one that may never happen on this target.
pub fn hazards(batches: &[Batch], allowed: &[Allowed], forbidden: &[Hazard], how: &str) -> Result<()> {
    let steps = batches.iter().flat_map(|b| &b.steps);
    let all = steps.flat_map(|s| s.hazards.iter().map(|n| (n.hazard, s.address.as_str(), n.why.as_str())));
    never(all, forbidden)?;
    let missing = not_allowed(batches, allowed);
    if missing.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = missing.iter().map(Allowed::option).collect();
    Err(Error::new(format!(
        "{} hazard{} not allowed:\n  {}",
        list.len(),
        if list.len() == 1 { " is" } else { "s are" },
        list.join("\n  ")
    ))
    .with_hint(how))
}

/// Nothing that the plan touches has changed since it was made. `done` are batches that were committed
/// before: what they changed is as they left it.
pub async fn fresh(plan: &Plan, session: &Session, done: usize) -> Result<()> {
    let (loaded, surroundings) = read(plan, session).await?;
    let changed_by_us: BTreeSet<&str> =
        plan.batches.iter().take(done).flat_map(|b| &b.steps).map(|s| s.at.as_str()).collect();
    let no_longer = |path: &str| plan.fingerprints.changed.iter().take(done).any(|paths| paths.contains(path));
    let ours = |path: &str| {
        no_longer(path)
            || changed_by_us
                .iter()
                .any(|at| path == *at || path.starts_with(&format!("{at}/")) || at.starts_with(&format!("{path}/")))
    };
    let mut changed = Vec::new();
    for (path, before) in plan.fingerprints.things.iter().filter(|(path, _)| done == 0 || !ours(path)) {
        let Some(address) = address_of(path) else { continue };
        let now = fingerprint(loaded.model.get(&address));
        if now != *before {
            let what = match (before.as_str(), now.as_str()) {
                ("absent", _) => "is there now",
                (_, "absent") => "is gone",
                _ => "has changed",
            };
            changed.push(format!("{address} {what}"));
        }
    }
    // What came to hang on something that the plan alters or drops would go with it, or stand in its way.
    let touched: BTreeSet<Address> = plan.after.keys().filter_map(|path| address_of(path)).collect();
    for node in loaded.model.nodes() {
        let hangs = node.needs.iter().chain(node.address.parent().iter()).any(|on| touched.contains(on));
        if hangs && !plan.fingerprints.things.contains_key(&node.address.path()) && !ours(&node.address.path()) {
            changed.push(format!("{} is there now", node.address));
        }
    }
    if surroundings.default_acl != plan.fingerprints.default_privileges {
        changed.push("default privileges have changed".into());
    }
    stale(changed)
}

/// Everything is as the plan left it, so that its way back leads back.
pub async fn as_left(plan: &Plan, session: &Session) -> Result<()> {
    stale(otherwise(plan, &read(plan, session).await?.0))
}

/// The same right after the plan has run, owners and grants too: PostgreSQL only warns where a role may not grant.
pub async fn as_planned(plan: &Plan, session: &Session) -> Result<()> {
    let (loaded, _) = read(plan, session).await?;
    let mut changed = otherwise(plan, &loaded);
    for (path, held) in &plan.held {
        let Some(address) = address_of(path) else { continue };
        if loaded.model.get(&address).is_some_and(|live| !held.holds(live)) {
            changed
                .push(format!("owner or grants of {address} are others: see what the role {} may grant", session.role));
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    Err(Error::new(changed.join("; ")))
}

/// What is not as the plan left it.
fn otherwise(plan: &Plan, loaded: &Loaded) -> Vec<String> {
    let mut changed = Vec::new();
    // What the role may not read, as rows that policies hide, is not known to be otherwise.
    let unread = |address: &Address| {
        let words = format!("{address}: ");
        loaded.unchecked.iter().any(|unchecked| unchecked.starts_with(&words))
    };
    for (path, after) in &plan.after {
        let Some(address) = address_of(path).filter(|address| !unread(address)) else { continue };
        if spec_fingerprint(loaded.model.get(&address)) != *after {
            changed.push(format!("{address} is not as the plan left it"));
        }
    }
    changed
}

async fn read(plan: &Plan, session: &Session) -> Result<(Loaded, Surroundings)> {
    let mut loaded = catalog::load_within(session, &plan.reads.wanted()).await?;
    catalog::dependencies(session, &mut loaded, catalog::Names::default()).await?;
    let surroundings = Surroundings::read(session, &loaded).await?;
    Ok((loaded, surroundings))
}

fn stale(changed: Vec<String>) -> Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    Err(Error::new(format!("the database has changed since the plan was made:\n  {}", changed.join("\n  ")))
        .with_hint("make the plan anew with `pgplumb plan` and review it"))
}

/// Whether an error means that a lock was not to be had in time.
pub fn is_lock_timeout(error: &tokio_postgres::Error) -> bool {
    use tokio_postgres::error::SqlState;
    error.code().is_some_and(|c| [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED].contains(c))
}

/// The batches of a way back in the order they run, for the batches that were committed.
pub fn way_back(plan: &plan::Plan, done: usize) -> Result<Vec<Batch>> {
    let mut batches = Vec::new();
    for (n, batch) in plan.batches.iter().enumerate().take(done).rev() {
        if let Some(why) = &batch.no_undo {
            return Err(Error::new(format!("batch {} has no way back: {why}", n + 1)));
        }
        batches.extend(batch.undo.iter().cloned());
    }
    Ok(batches)
}
