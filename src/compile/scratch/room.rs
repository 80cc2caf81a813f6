//! A scratch database to build in.
//!
//! What is built runs code that somebody declared: defaults of rows, checks, expressions of indexes. On a server
//! of our own it runs as a role that is no superuser, owns this database and nothing else, and so can reach no
//! file and no program. Only what that role may not define is added by a superuser, when all is built, in a
//! session that was opened before anything could change what it meets. That session runs nothing that was
//! declared, and reads nothing.

use super::super::attempt::Attempts;
use super::super::build::search_path;
use super::Scratch;
use crate::catalog::Session;
use crate::declare::{Declaration, Settings};
use crate::error::{Error, Problem, Result};
use crate::kinds::{self, Limits};
use crate::model::{Address, Model, Node};
use crate::sql::Ident;
use std::collections::HashSet;
use std::ops::Deref;

/// An open session in a scratch database.
pub struct Room {
    session: Session,
    above: Option<Above>,
    /// The paths of what was built for good.
    laid: HashSet<String>,
    /// From how many nodes on what is built is committed.
    pub large: usize,
}

/// The superuser's session beside the other, and what the other may not do.
struct Above {
    session: Session,
    limits: Limits,
}

impl Deref for Room {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

/// From how many nodes on what is built is committed: to roll back, a server cuts and removes each of its files, of which a
/// table has about eight.
pub const LARGE: usize = 10_000;

/// What is there only after a superuser has run the statements.
pub struct Later {
    address: Address,
    statements: Vec<String>,
}

/// What became of a transaction in which something was built. Either way one is open, to be read in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Built {
    /// It is still open: what was built goes when it is rolled back.
    Open,
    /// It was committed: a superuser had to complete it, or there is so much that a new database is made sooner than it
    /// is rolled back.
    Committed,
}

impl Room {
    /// Ends building a model: checks what a commit would check, completes what was built within limits, and leaves the
    /// settings that everything is printed under, whatever declared code made of them.
    ///
    /// # Errors
    /// What the server refuses, where it was declared; without a declaration, the first refusal.
    pub async fn end(
        &self,
        model: &Model,
        later: &[Later],
        settings: &Settings,
        declared: Option<&Declaration>,
    ) -> Result<Built> {
        if later.is_empty() && model.nodes().len() < self.large {
            self.client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await?;
            self.fix().await?;
            return Ok(Built::Open);
        }
        self.client.batch_execute("COMMIT").await?;
        self.fix().await?;
        self.complete(later, settings, declared).await?;
        self.client.batch_execute("BEGIN").await?;
        Ok(Built::Committed)
    }

    /// A room without what was built last: this one, if that was not committed.
    pub async fn next(self, scratch: &mut Scratch, built: Built) -> Result<Self> {
        self.release().await?;
        match built {
            Built::Open => Ok(self),
            Built::Committed => scratch.database().await,
        }
    }

    /// A room in which the session's role may do all that it will be asked to do.
    pub fn open(session: Session) -> Self {
        Self { session, above: None, laid: HashSet::new(), large: LARGE }
    }

    /// A room for a role that is no superuser, with the session of one beside it.
    pub async fn below(session: Session, above: Session) -> Result<Self> {
        let names = async |sql: &str| -> Result<HashSet<String>> {
            let rows = above.client.query(sql, &[]).await?;
            Ok(rows.iter().map(|row| row.try_get(0)).collect::<std::result::Result<_, _>>()?)
        };
        let limits = Limits {
            languages: names("select lanname::text from pg_language where lanpltrusted").await?,
            settings: names("select lower(name) from pg_settings where context not in ('user', 'backend')").await?,
        };
        Ok(Self { session, above: Some(Above { session: above, limits }), laid: HashSet::new(), large: LARGE })
    }

    /// Creates extensions as a superuser, in schemas of `owner`, as far as that works: what does not, whose names are given,
    /// is refused when its turn comes, and said where it was declared.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn extend(&self, extensions: &[(String, String)], owner: &str) -> Result<Vec<String>> {
        let Some(Above { session: above, .. }) = &self.above else { return Ok(Vec::new()) };
        let mut waiting: Vec<&(String, String)> = extensions.iter().collect();
        let mut before = usize::MAX;
        // One may require another.
        while !waiting.is_empty() && waiting.len() < before {
            before = waiting.len();
            let mut refused = Vec::new();
            for extension in waiting {
                let sql = make_extension(&extension.0, &extension.1, owner);
                if let Err(error) = above.client.batch_execute(&sql).await {
                    if error.as_db_error().is_none() {
                        return Err(error.into());
                    }
                    refused.push(extension);
                }
            }
            waiting = refused;
        }
        Ok(waiting.into_iter().map(|(name, _)| name.clone()).collect())
    }

    /// Whether only a superuser may create something, where the session's role is none and one stands beside it.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn withholds(&self, address: &Address) -> Result<bool> {
        let Some(sql) = kinds::kind_of(address).withheld().filter(|_| self.above.is_some()) else { return Ok(false) };
        Ok(self.client.query_opt(sql, &[&[address.name()].as_slice()]).await?.is_some())
    }

    /// Builds what others own, for good.
    ///
    /// # Errors
    /// What is wrong with it; the server's refusals.
    pub async fn lay(&mut self, ground: &Declaration) -> Result<()> {
        let whole = Model::new(ground.drafts.iter().map(|draft| draft.node.clone()).collect());
        let mut attempts = Attempts::new(self, ground, &whole, None).together();
        while attempts.next(self, &|_| {}).await?.is_none() {}
        self.laid.extend(whole.nodes().iter().map(|node| node.address.path()));
        Ok(self.client.batch_execute("COMMIT").await?)
    }

    /// Runs a statement as a superuser where there is one beside the role.
    ///
    /// # Errors
    /// The server's refusal; None says that there is no superuser.
    pub async fn as_superuser(&self, sql: &str) -> Option<std::result::Result<(), tokio_postgres::Error>> {
        match &self.above {
            Some(Above { session, .. }) => Some(session.client.batch_execute(sql).await),
            None => None,
        }
    }

    /// What is there already: schemas, whether declared or not, and what something else needed before.
    pub async fn given(&self) -> Result<HashSet<String>> {
        let rows = self.client.query("select nspname::text from pg_namespace", &[]).await?;
        let paths = rows.iter().map(|row| Ok(Address::root("schema", row.try_get(0)?).path()));
        paths.chain(self.laid.iter().cloned().map(Ok)).collect()
    }

    /// The model as the session's role may build it, and what is missing in it then.
    pub fn within_limits(&self, model: Model) -> (Model, Vec<Later>) {
        let Some(Above { limits, .. }) = &self.above else { return (model, Vec::new()) };
        let mut later = Vec::new();
        let nodes =
            model.into_nodes().into_iter().map(|node| match kinds::kind_of(&node.address).restrained(&node, limits) {
                Some((lesser, statements)) => {
                    later.push(Later { address: node.address, statements });
                    lesser
                }
                None => node,
            });
        let nodes: Vec<Node> = nodes.collect();
        (Model::new(nodes), later)
    }

    /// Makes whole what a server printed and what was built of it within limits.
    ///
    /// # Errors
    /// The first refusal.
    pub async fn make_whole(&self, later: &[Later]) -> Result<()> {
        let Some(Above { session, .. }) = &self.above else { return Ok(()) };
        for Later { address, statements } in later {
            for sql in std::iter::once("SET search_path = ''").chain(statements.iter().map(String::as_str)) {
                let completed = session.client.batch_execute(sql).await;
                completed.map_err(|e| Error::from(e).while_(format!("completing {address}")))?;
            }
        }
        Ok(())
    }

    /// Makes whole what was built within limits.
    ///
    /// # Errors
    /// What the server refuses, where it was declared; without a declaration, the first refusal.
    async fn complete(&self, later: &[Later], settings: &Settings, declared: Option<&Declaration>) -> Result<()> {
        let Some(Above { session, .. }) = &self.above else { return Ok(()) };
        let mut problems = Vec::new();
        for Later { address, statements } in later {
            let path = search_path(address.schema(), settings);
            for sql in std::iter::once(&format!("SET search_path = {path}")).chain(statements) {
                let Err(error) = session.client.batch_execute(sql).await else { continue };
                let draft = declared.and_then(|d| d.drafts.iter().find(|draft| draft.node.address == *address));
                match draft {
                    Some(draft) => {
                        problems.push(Problem::new(&draft.pos, format!("{address}: {}", Error::from(error))));
                        break;
                    }
                    None => return Err(Error::from(error).while_(format!("completing {address}"))),
                }
            }
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::Declaration(problems))
    }
}

/// Creates an extension, and its schema for `owner`.
fn make_extension(name: &str, schema: &str, owner: &str) -> String {
    let make = match schema {
        system if system.starts_with("pg_") => String::new(),
        _ => format!("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}; ", Ident(schema), Ident(owner)),
    };
    format!("{make}CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA {}", Ident(name), Ident(schema))
}
