//! The journal in the target database: who applied what, when, how long, and how far it came.

use crate::catalog::Session;
use crate::error::{Error, Result};
use crate::plan::Plan;
use serde::Serialize;

/// The schema that is pgplumb's own; no plan ever touches it.
pub const SCHEMA: &str = "pgplumb";

const CREATE_SCHEMA: &str = "\
CREATE SCHEMA pgplumb;
COMMENT ON SCHEMA pgplumb IS 'The journal of pgplumb: which plans were applied.';";

const CREATE: &str = "\
CREATE TABLE IF NOT EXISTS pgplumb.run (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  action text NOT NULL CHECK (action IN ('apply', 'rollback')),
  seal text NOT NULL,
  summary text NOT NULL,
  role text NOT NULL DEFAULT session_user,
  client text,
  program text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz,
  batches integer NOT NULL,
  batches_done integer NOT NULL DEFAULT 0,
  state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed')),
  message text
);";

/// One run of a plan.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    pub id: i64,
    pub action: String,
    pub seal: String,
    pub summary: String,
    pub role: String,
    /// ISO 8601, UTC.
    pub started_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    pub batches: i32,
    pub batches_done: i32,
    pub state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

async fn is_there(session: &Session) -> Result<bool> {
    let there = "select to_regclass('pgplumb.run') is not null";
    Ok(session.client.query_one(there, &[]).await?.try_get(0)?)
}

/// Makes the journal if it is not there.
pub async fn prepare(session: &Session) -> Result<()> {
    if is_there(session).await? {
        return Ok(());
    }
    // A schema that somebody made for the role needs no CREATE on the database.
    let schema = session.client.query_opt("select from pg_namespace where nspname = 'pgplumb'", &[]).await?;
    let sql = if schema.is_some() { CREATE.to_owned() } else { format!("{CREATE_SCHEMA}{CREATE}") };
    session.client.batch_execute(&sql).await.map_err(|e| {
        Error::from(e).while_("creating the journal").with_hint(
            "the role needs CREATE on the database once, for the schema `pgplumb`, or that schema made for it: CREATE SCHEMA pgplumb AUTHORIZATION the_role",
        )
    })
}

/// What the journal says of a plan whose result is another than was planned.
pub const OTHERWISE: &str = "the plan was applied, but the result is not as planned";

/// Whether the last run of a plan came to its end with another result than was planned.
pub async fn ended_otherwise(session: &Session, seal: &str) -> Result<bool> {
    let last = "select coalesce((select starts_with(message, $2) from pgplumb.run where seal = $1 order by id desc limit 1), false)";
    Ok(session.client.query_one(last, &[&seal, &OTHERWISE]).await?.try_get(0)?)
}

/// Starts an entry and returns its id. Whoever holds the lock on applying is alone: what is said to run has ended.
pub async fn start(session: &Session, action: &str, plan: &Plan, batches: usize, done: usize) -> Result<i64> {
    let ended =
        "update pgplumb.run set state = 'failed', message = 'broken off: its session ended' where state = 'running'";
    session.client.execute(ended, &[]).await?;
    let row = session
        .client
        .query_one(
            "insert into pgplumb.run (action, seal, summary, client, program, batches, batches_done)
             values ($1, $2, $3, inet_client_addr()::text, $4, $5, $6) returning id",
            &[&action, &plan.seal, &plan.summary, &plan.made_by, &number(batches), &number(done)],
        )
        .await?;
    Ok(row.try_get(0)?)
}

fn number(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// Notes a batch as done, in the batch's own transaction.
pub async fn batch_done(session: &Session, id: i64, done: usize) -> std::result::Result<(), tokio_postgres::Error> {
    session
        .client
        .execute("update pgplumb.run set batches_done = $2 where id = $1", &[&id, &number(done)])
        .await
        .map(drop)
}

/// Ends an entry.
pub async fn finish(session: &Session, id: i64, failure: Option<&str>) -> Result<()> {
    let state = if failure.is_some() { "failed" } else { "done" };
    session
        .client
        .execute(
            "update pgplumb.run set finished_at = clock_timestamp(), state = $2, message = $3 where id = $1",
            &[&id, &state, &failure],
        )
        .await?;
    Ok(())
}

/// How many batches of a plan are committed and not taken back: what the last run of it says.
pub async fn position(session: &Session, seal: &str) -> Result<usize> {
    if !is_there(session).await? {
        return Ok(0);
    }
    let last = session
        .client
        .query_opt(
            "select action, batches_done, batches from pgplumb.run where seal = $1 order by id desc limit 1",
            &[&seal],
        )
        .await?;
    let Some(row) = last else { return Ok(0) };
    let (action, done): (String, i32) = (row.try_get(0)?, row.try_get(1)?);
    if action == "apply" {
        return Ok(usize::try_from(done).unwrap_or(0));
    }
    // A way back that came to its end leads to the start; one that did not is repeated from the end.
    let all: i32 = row.try_get(2)?;
    if done == all {
        return Ok(0);
    }
    let before = session
        .client
        .query_opt(
            "select batches_done from pgplumb.run where seal = $1 and action = 'apply' order by id desc limit 1",
            &[&seal],
        )
        .await?;
    let before: Option<i32> = before.map(|row| row.try_get(0)).transpose()?;
    Ok(before.and_then(|done| usize::try_from(done).ok()).unwrap_or(0))
}

/// How many batches of its way back are committed, where that stopped half way.
pub async fn halfway_back(session: &Session, seal: &str) -> Result<Option<usize>> {
    if !is_there(session).await? {
        return Ok(None);
    }
    let last = "select batches_done from (select * from pgplumb.run where seal = $1 order by id desc limit 1) l
                where action = 'rollback' and batches_done > 0 and batches_done < batches";
    let done: Option<i32> = session.client.query_opt(last, &[&seal]).await?.map(|row| row.try_get(0)).transpose()?;
    Ok(done.and_then(|done| usize::try_from(done).ok()))
}

/// All entries, the newest first; none where there is no journal.
pub async fn entries(session: &Session, limit: i64) -> Result<Vec<Entry>> {
    if !is_there(session).await? {
        return Ok(Vec::new());
    }
    let rows = session
        .client
        .query(
            "select id, action, seal, summary, role, to_char(started_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
                    extract(epoch from finished_at - started_at)::float8, batches, batches_done, state, message
             from pgplumb.run order by id desc limit $1",
            &[&limit],
        )
        .await?;
    let mut entries = Vec::new();
    for row in rows {
        entries.push(Entry {
            id: row.try_get(0)?,
            action: row.try_get(1)?,
            seal: row.try_get(2)?,
            summary: row.try_get(3)?,
            role: row.try_get(4)?,
            started_at: row.try_get(5)?,
            seconds: row.try_get(6)?,
            batches: row.try_get(7)?,
            batches_done: row.try_get(8)?,
            state: row.try_get(9)?,
            message: row.try_get(10)?,
        });
    }
    Ok(entries)
}
