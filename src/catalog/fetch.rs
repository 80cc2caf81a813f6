//! Several catalog queries at once: on two connections with one snapshot where there is much to read, on one
//! otherwise. The rows are handed on in the order of the queries.

use super::session::Session;
use futures_util::TryStreamExt;
use std::cell::{Cell, RefCell};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

/// Relations from which on a second connection is worth what it costs.
const MANY: i64 = 2000;
/// Rows that are handed on together; the last ones of a query are fewer.
pub const CHUNK: usize = 512;

/// A query; the OIDs of the schemas are its parameter.
pub struct Query {
    pub sql: String,
    /// Whether it makes the server open relations: those that do are best run on one connection.
    pub opens_relations: bool,
}

/// What has come of one query and is not handed on yet.
#[derive(Default)]
struct Waiting {
    chunks: Vec<Vec<Row>>,
    whole: bool,
}

/// The queries, and how far they are.
struct Queue<'a> {
    queries: &'a [Query],
    schemas: &'a [u32],
    /// Those that somebody has begun.
    begun: RefCell<Vec<bool>>,
    /// The first that is not handed on whole.
    at: Cell<usize>,
    waiting: RefCell<Vec<Waiting>>,
    take: RefCell<&'a mut dyn FnMut(usize, Vec<Row>)>,
}

/// Runs the queries in the session's transaction, and hands on what they give.
/// `shared`: others can see what it sees.
pub async fn fetch(
    session: &Session,
    shared: bool,
    queries: &[Query],
    schemas: &[u32],
    take: &mut dyn FnMut(usize, Vec<Row>),
) -> Result<(), tokio_postgres::Error> {
    let second = if shared && is_much(session, schemas).await? { session.twin().await? } else { None };
    let queue = Queue {
        queries,
        schemas,
        begun: RefCell::new(vec![false; queries.len()]),
        at: Cell::new(0),
        waiting: RefCell::new(queries.iter().map(|_| Waiting::default()).collect()),
        take: RefCell::new(take),
    };
    match second {
        Some(second) => {
            tokio::try_join!(queue.work(&session.client, false), queue.work(&second.client, true)).map(|_| ())
        }
        None => queue.work(&session.client, false).await,
    }
}

async fn is_much(session: &Session, schemas: &[u32]) -> Result<bool, tokio_postgres::Error> {
    let count = "select count(*) from pg_class where relnamespace = any ($1)";
    let count: i64 = session.client.query_one(count, &[&schemas]).await?.try_get(0)?;
    Ok(count >= MANY)
}

impl Queue<'_> {
    /// Begins the next query, one that opens relations if that is preferred and there is one, or one that does not.
    fn begin(&self, opens_relations: bool) -> Option<usize> {
        let mut begun = self.begun.borrow_mut();
        let left = || (0..self.queries.len()).filter(|which| !begun[*which]);
        let preferred = left().find(|which| self.queries[*which].opens_relations == opens_relations);
        let which = preferred.or_else(|| left().next())?;
        begun[which] = true;
        Some(which)
    }

    async fn work(&self, client: &Client, opens_relations: bool) -> Result<(), tokio_postgres::Error> {
        while let Some(which) = self.begin(opens_relations) {
            let parameters: [&(dyn ToSql + Sync); 1] = [&self.schemas];
            let stream = client.query_raw(&self.queries[which].sql, parameters).await?;
            futures_util::pin_mut!(stream);
            let mut chunk = Vec::new();
            while let Some(row) = stream.try_next().await? {
                chunk.push(row);
                if chunk.len() == CHUNK {
                    self.hand_on(which, std::mem::take(&mut chunk), false);
                }
            }
            self.hand_on(which, chunk, true);
        }
        Ok(())
    }

    fn hand_on(&self, which: usize, chunk: Vec<Row>, whole: bool) {
        let mut waiting = self.waiting.borrow_mut();
        waiting[which].chunks.push(chunk);
        waiting[which].whole |= whole;
        while let Some(first) = waiting.get_mut(self.at.get()) {
            first.chunks.drain(..).for_each(|chunk| (self.take.borrow_mut())(self.at.get(), chunk));
            if !first.whole {
                return;
            }
            self.at.set(self.at.get() + 1);
        }
    }
}
