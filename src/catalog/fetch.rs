//! Several catalog queries at once: on two connections with one snapshot where there is much to read, on one
//! otherwise.

use super::session::Session;
use futures_util::TryStreamExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

/// Relations from which on a second connection is worth what it costs.
const MANY: i64 = 2000;
/// Rows that are handed on together; the last ones of a query are fewer.
const CHUNK: usize = 512;

/// What queries are about.
#[derive(Default)]
pub struct Within {
    /// `$1`: the OIDs of the schemas.
    pub schemas: Vec<u32>,
    /// `$2`: the OIDs of the tables, as far as they are known.
    pub tables: Vec<u32>,
}

/// Connections that see the same.
pub struct Connections<'a> {
    first: &'a Session,
    second: Option<Session>,
}

impl<'a> Connections<'a> {
    /// The session, and where there is much to read another one. `shared`: others can see what it sees.
    pub async fn of(session: &'a Session, shared: bool, schemas: &[u32]) -> Result<Self, tokio_postgres::Error> {
        let second = if shared && is_much(session, schemas).await? { session.twin().await? } else { None };
        Ok(Self { first: session, second })
    }

    /// Runs the queries and hands on what they give.
    pub async fn fetch(
        &self,
        queries: &[String],
        within: &Within,
        take: &(dyn Fn(usize, Vec<Row>) + Sync),
    ) -> Result<(), tokio_postgres::Error> {
        let queue = Queue { queries, within, begun: AtomicUsize::new(0), take };
        match &self.second {
            Some(second) => tokio::try_join!(queue.work(&self.first.client), queue.work(&second.client)).map(|_| ()),
            None => queue.work(&self.first.client).await,
        }
    }
}

async fn is_much(session: &Session, schemas: &[u32]) -> Result<bool, tokio_postgres::Error> {
    let count = "select count(*) from (select from pg_class where relnamespace = any ($1) limit $2) c";
    let count: i64 = session.client.query_one(count, &[&schemas, &MANY]).await?.try_get(0)?;
    Ok(count >= MANY)
}

/// The queries, and how far they are.
struct Queue<'a> {
    queries: &'a [String],
    within: &'a Within,
    /// How many somebody has begun.
    begun: AtomicUsize,
    take: &'a (dyn Fn(usize, Vec<Row>) + Sync),
}

impl Queue<'_> {
    async fn work(&self, client: &Client) -> Result<(), tokio_postgres::Error> {
        loop {
            let which = self.begun.fetch_add(1, Ordering::Relaxed);
            let Some(query) = self.queries.get(which) else { return Ok(()) };
            let statement = client.prepare_typed(query, &[Type::OID_ARRAY, Type::OID_ARRAY]).await?;
            let parameters: [&(dyn ToSql + Sync); 2] = [&self.within.schemas, &self.within.tables];
            let stream = client.query_raw(&statement, parameters).await?;
            futures_util::pin_mut!(stream);
            let mut chunk = Vec::new();
            while let Some(row) = stream.try_next().await? {
                chunk.push(row);
                if chunk.len() == CHUNK {
                    (self.take)(which, std::mem::take(&mut chunk));
                }
            }
            if !chunk.is_empty() {
                (self.take)(which, chunk);
            }
        }
    }
}
