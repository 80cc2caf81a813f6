//! Execution: batch by batch, each in a transaction with its locks first.

use super::holders::holders;
use super::{gate, journal};
use crate::catalog::connect::{cancel, Target};
use crate::catalog::Session;
use crate::error::{Error, Result};
use crate::kinds::Hazard;
use crate::plan::{begin, Allowed, Batch, Plan};
use std::time::{Duration, Instant};

/// How a plan is run.
pub struct Options<'a> {
    pub target: &'a Target,
    /// Hazards that may never happen on this target.
    pub never: &'a [Hazard],
    /// How long a batch waits for a lock, as PostgreSQL writes durations.
    pub lock_timeout: &'a str,
    /// How often a batch is tried when it does not get its locks.
    pub attempts: u32,
    /// Is told what is being done.
    pub progress: &'a dyn Fn(&str),
}

/// What was done.
#[derive(Debug)]
pub struct Report {
    pub batches: usize,
    pub steps: usize,
    /// Batches that an earlier run had committed already.
    pub resumed: usize,
}

/// The key of the advisory lock that keeps a second apply out: the letters of "pgplumb".
const LOCK_KEY: i64 = 0x0070_6770_6c75_6d62;

/// Runs a plan.
///
/// # Errors
/// Refusals before anything is touched (another database, stale, hazards not allowed, another apply running);
/// failures of a statement, with the position that was reached: what was committed stays and is journalled.
pub async fn apply(plan: &Plan, session: &Session, options: &Options<'_>) -> Result<Report> {
    gate::identity(plan, session)?;
    gate::writable(session).await?;
    gate::hazards(
        &plan.batches,
        &plan.allowed,
        options.never,
        "review them, then make the plan again with these flags",
    )?;
    let guard = lock_out_others(session).await;
    guard?;
    let result = apply_locked(plan, session, options).await;
    unlock(session).await;
    result
}

async fn apply_locked(plan: &Plan, session: &Session, options: &Options<'_>) -> Result<Report> {
    if journal::halfway_back(session, &plan.seal).await?.is_some() {
        return Err(Error::new("the way back of this plan stopped half way").with_hint("go on with `pgplumb rollback`"));
    }
    let done = journal::position(session, &plan.seal).await?;
    if done >= plan.batches.len() && done > 0 {
        in_transaction(session, gate::as_left(plan, session)).await?;
        (options.progress)("this plan was applied before, and everything is as it left it");
        return Ok(Report { batches: 0, steps: 0, resumed: done });
    }
    in_transaction(session, gate::fresh(plan, session, done)).await?;
    if plan.batches.is_empty() {
        return Ok(Report { batches: 0, steps: 0, resumed: 0 });
    }
    journal::prepare(session).await?;
    let id = journal::start(session, "apply", plan, plan.batches.len(), done).await?;
    if done > 0 {
        (options.progress)(&format!("going on after batch {done}, which an earlier run committed"));
    }
    let check = Check { plan: Some(plan) };
    let report = run(session, id, &plan.batches, done, &check, options).await?;
    if let Err(error) = in_transaction(session, gate::as_planned(plan, session)).await {
        let error = error.while_(journal::OTHERWISE);
        journal::finish(session, id, Some(&error.to_string())).await?;
        return Err(error.with_hint(
            "everything is committed; `pgplumb plan` shows what differs from the declaration, `pgplumb rollback` goes back",
        ));
    }
    Ok(report)
}

/// Runs the way back of a plan that was applied, wholly or in part.
pub async fn rollback(plan: &Plan, session: &Session, allow: &[String], options: &Options<'_>) -> Result<Report> {
    gate::identity(plan, session)?;
    gate::writable(session).await?;
    lock_out_others(session).await?;
    let result = rollback_locked(plan, session, allow, options).await;
    unlock(session).await;
    result
}

async fn rollback_locked(plan: &Plan, session: &Session, allow: &[String], options: &Options<'_>) -> Result<Report> {
    let done = journal::position(session, &plan.seal).await?;
    if done == 0 {
        return Err(Error::new("the journal of this database knows of no batch of this plan that is applied")
            .with_hint("`pgplumb history` lists what was applied"));
    }
    let batches = gate::way_back(plan, done)?;
    let known = crate::plan::not_allowed(&batches, &[]);
    let mut allowed = Vec::new();
    for text in allow {
        allowed.extend(Allowed::parse(text, &known)?);
    }
    gate::hazards(&batches, &allowed, options.never, "add these flags to `pgplumb rollback` once you are sure")?;
    // A result that never was as planned does not stand in the way of going back.
    let begun = journal::halfway_back(session, &plan.seal).await?;
    if done == plan.batches.len() && begun.is_none() && !journal::ended_otherwise(session, &plan.seal).await? {
        in_transaction(session, gate::as_left(plan, session)).await?;
    }
    let begun = begun.unwrap_or(0);
    if begun > 0 {
        (options.progress)(&format!("going on after batch {begun} of the way back, which an earlier run committed"));
    }
    let id = journal::start(session, "rollback", plan, batches.len(), begun).await?;
    run(session, id, &batches, begun, &Check { plan: None }, options).await
}

/// What is checked under the locks of the first batch.
struct Check<'a> {
    plan: Option<&'a Plan>,
}

async fn run(
    session: &Session,
    id: i64,
    batches: &[Batch],
    done: usize,
    check: &Check<'_>,
    options: &Options<'_>,
) -> Result<Report> {
    let total: usize = batches.iter().map(|b| b.steps.len()).sum();
    let mut count: usize = batches.iter().take(done).map(|b| b.steps.len()).sum();
    let first = count;
    let mut stop = std::pin::pin!(interrupted());
    for (n, batch) in batches.iter().enumerate().skip(done) {
        (options.progress)(&format!(
            "batch {} of {}: {} {} in one transaction",
            n + 1,
            batches.len(),
            batch.steps.len(),
            if batch.steps.len() == 1 { "step" } else { "steps" }
        ));
        let started = Instant::now();
        let outcome = tokio::select! {
            outcome = attempts(session, id, n, batch, check, (count, total), options) => outcome,
            () = &mut stop => {
                // The server may be busy with a statement: ask it to stop, then nothing of the batch stays.
                let _ = cancel(options.target, &session.client.cancel_token()).await;
                Err(Error::new("interrupted"))
            }
        };
        if let Err(error) = outcome {
            let _ = session.client.batch_execute("ROLLBACK").await;
            let place = match n {
                0 => "nothing was changed".to_owned(),
                n => format!("batches 1 to {n} of {} are committed, batch {} was rolled back", batches.len(), n + 1),
            };
            let _ = journal::finish(session, id, Some(&error.to_string())).await;
            return Err(error.while_(place).with_hint_if_none(match (check.plan, n) {
                (None, _) => "mend the cause and run `pgplumb rollback` again",
                (Some(_), 0) => "mend the cause and apply the plan again",
                (Some(_), _) => {
                    "mend the cause and apply the plan again, or make a new plan, or go back with `pgplumb rollback`"
                }
            }));
        }
        count += batch.steps.len();
        (options.progress)(&format!(
            "batch {} of {} committed after {:.1} s",
            n + 1,
            batches.len(),
            started.elapsed().as_secs_f64()
        ));
    }
    journal::finish(session, id, None).await?;
    Ok(Report { batches: batches.len() - done, steps: total - first, resumed: done })
}

/// Tries a batch until it gets its locks.
async fn attempts(
    session: &Session,
    id: i64,
    n: usize,
    batch: &Batch,
    check: &Check<'_>,
    count: (usize, usize),
    options: &Options<'_>,
) -> Result<()> {
    let mut attempt = 1;
    loop {
        match transaction(session, id, n, batch, check, count, options).await {
            Ok(()) => return Ok(()),
            Err(Stop::Locked(_)) if attempt < options.attempts => {
                session.client.batch_execute("ROLLBACK").await?;
                let pause = Duration::from_millis(500 * u64::from(attempt.min(10)));
                let who = holders(session, batch).await;
                (options.progress)(&format!(
                    "no lock within {}: trying again in {:.1} s ({attempt} of {}){}",
                    options.lock_timeout,
                    pause.as_secs_f64(),
                    options.attempts,
                    if who.is_empty() { who } else { format!("; {who}") }
                ));
                tokio::time::sleep(pause).await;
                attempt += 1;
            }
            Err(Stop::Locked(error)) => {
                session.client.batch_execute("ROLLBACK").await?;
                let who = match holders(session, batch).await {
                    nobody if nobody.is_empty() => {
                        "somebody held a lock: look at pg_stat_activity and pg_locks".to_owned()
                    }
                    who => who,
                };
                return Err(error.with_hint(format!("{who}; end that, or raise `attempts` or `lock_timeout`")));
            }
            Err(Stop::Failed(error)) => return Err(error),
        }
    }
}

enum Stop {
    Locked(Error),
    Failed(Error),
}

fn stop(error: tokio_postgres::Error, doing: &str) -> Stop {
    if gate::is_lock_timeout(&error) {
        Stop::Locked(Error::from(error).while_(doing))
    } else {
        Stop::Failed(Error::from(error).while_(doing))
    }
}

async fn transaction(
    session: &Session,
    id: i64,
    n: usize,
    batch: &Batch,
    check: &Check<'_>,
    (count, total): (usize, usize),
    options: &Options<'_>,
) -> std::result::Result<(), Stop> {
    let client = &session.client;
    client.batch_execute(&begin(options.lock_timeout)).await.map_err(|e| stop(e, "beginning"))?;
    for lock in &batch.locks {
        client.batch_execute(&lock.sql()).await.map_err(|e| stop(e, &format!("locking {}", lock.table)))?;
    }
    if let Some(plan) = check.plan {
        gate::fresh(plan, session, n).await.map_err(Stop::Failed)?;
    }
    for (at, step) in batch.steps.iter().enumerate() {
        (options.progress)(&format!("  [{}/{total}] {} {}", count + at + 1, step.verb, step.address));
        for sql in &step.sql {
            client.batch_execute(sql).await.map_err(|e| stop(e, &format!("{} {}", step.verb, step.address)))?;
        }
    }
    journal::batch_done(session, id, n + 1).await.map_err(|e| stop(e, "writing the journal"))?;
    client.batch_execute("COMMIT").await.map_err(|e| stop(e, "committing"))
}

async fn in_transaction(session: &Session, work: impl std::future::Future<Output = Result<()>>) -> Result<()> {
    session.client.batch_execute("BEGIN READ ONLY").await?;
    let result = work.await;
    session.release().await?;
    result
}

async fn lock_out_others(session: &Session) -> Result<()> {
    let row = session.client.query_one("select pg_try_advisory_lock($1)", &[&LOCK_KEY]).await?;
    if row.try_get(0)? {
        return Ok(());
    }
    Err(Error::new("another pgplumb is applying a plan to this database")
        .with_hint("wait until it is done; `pgplumb history` shows it"))
}

async fn unlock(session: &Session) {
    // The lock goes with the session anyway.
    let _ = session.client.query_one("select pg_advisory_unlock($1)", &[&LOCK_KEY]).await;
}

/// Waits for Ctrl-C, a request to end, or the end of the terminal. From the call on, none of these ends the process by
/// itself.
pub fn interrupted() -> impl std::future::Future<Output = ()> {
    use tokio::signal::unix::{signal, SignalKind};
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let mut signals: Vec<_> = kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect();
    async move {
        std::future::poll_fn(|cx| {
            let came = signals.iter_mut().any(|signal| signal.poll_recv(cx).is_ready());
            if came {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }
}
