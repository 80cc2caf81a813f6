//! Reads what is managed from a live database into a model: one query per kind, never one per table. Rows are read
//! while the server finds the next.
//!
//! Parents are read before what stands below them, so that each row finds its parent's address by OID.
//! OIDs stay in here, in `reader` and in `depend`. A thing whose parent is not read (because it is ignored, belongs to
//! an extension or is of no modelled kind) is not read either.

use super::depend::{Links, Thing};
use super::fetch::Connections;
use super::parts::Stages;
use super::printing::{self, Alike};
use super::reader::Reader;
use super::session::Session;
use super::surroundings::{Unmodelled, Unread};
use crate::error::{Error, Result};
use crate::kinds::{self, OperatorClass};
use crate::model::{Address, ForeignGrant, Model, Node};
use std::collections::{BTreeSet, HashMap};
use tokio_postgres::error::SqlState;

/// What is to be read.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The schemas that are owned.
    pub schemas: Vec<String>,
    /// Patterns of what is left alone: `public.alembic_version`, `public.tmp_*`.
    pub ignore: Vec<String>,
    /// Reference rows to look for, as declared.
    pub rows: Vec<Node>,
    /// The extensions that are owned, by name; None for all there are.
    pub extensions: Option<Vec<String>>,
}

/// (catalog, OID, sub) of a thing in this one database.
pub type Id = (&'static str, u32, i32);

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// The model.
    Model,
    /// Also how things hang together.
    Links,
}

/// What was read.
pub struct Loaded {
    pub model: Model,
    /// Where each OID went.
    pub ids: Vec<(Id, Address)>,
    /// How things hang together, until it is filled in; nothing where that was not asked for.
    pub links: Links,
    /// OIDs of the system catalogs.
    pub classes: HashMap<String, u32>,
    /// Extension by the (catalog, OID) of its members.
    pub members: HashMap<(u32, u32), Address>,
    /// What the role may not read, in words.
    pub unchecked: Vec<String>,
    /// Grants that somebody other than the owner made: reported, never touched.
    pub foreign_grants: Vec<(Address, ForeignGrant)>,
    /// What no kind models: it is never touched. Empty where it was read amid changes.
    pub unmodelled: Vec<Unmodelled>,
    /// Of those, relations that have the name of something that could be read. Empty likewise.
    pub unread: Vec<Unread>,
    /// What rests on something that is not managed; filled in with the dependencies.
    pub astray: BTreeSet<Address>,
}

/// Attempts when something vanishes while it is being printed: busy databases make temporary things all the time.
const ATTEMPTS: usize = 20;

/// Reads in one snapshot. A concurrent DROP makes a print fail; then all is read again.
pub async fn load(session: &Session, wanted: &Wanted, depth: Depth) -> Result<Loaded> {
    let mut attempt = 1;
    loop {
        session.snapshot().await?;
        match read(session, wanted, true, depth).await {
            Ok(mut loaded) => {
                loaded.read_rows(session, &wanted.rows).await?;
                return Ok(loaded);
            }
            Err(Failure::Vanished(_)) if attempt < ATTEMPTS => {
                session.release().await?;
                attempt += 1;
            }
            Err(Failure::Vanished(error) | Failure::Other(error)) => return Err(error.while_("reading the catalog")),
        }
    }
}

/// Reads the model and the links in the transaction that is open already; where each statement sees what is committed, a
/// concurrent DROP makes it read again.
pub async fn load_within(session: &Session, wanted: &Wanted) -> Result<Loaded> {
    let mut attempt = 1;
    loop {
        session.client.batch_execute("SAVEPOINT pgplumb_read").await?;
        match read(session, wanted, false, Depth::Links).await {
            Ok(mut loaded) => {
                session.client.batch_execute("RELEASE pgplumb_read").await?;
                loaded.read_rows(session, &wanted.rows).await?;
                return Ok(loaded);
            }
            Err(Failure::Vanished(_)) if attempt < ATTEMPTS => {
                session.client.batch_execute("ROLLBACK TO pgplumb_read; RELEASE pgplumb_read").await?;
                attempt += 1;
            }
            Err(Failure::Vanished(error) | Failure::Other(error)) => return Err(error.while_("reading the catalog")),
        }
    }
}

pub enum Failure {
    /// Something was dropped after the snapshot was taken.
    Vanished(Error),
    Other(Error),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let vanished = error.code().is_some_and(|code| {
            [
                SqlState::INTERNAL_ERROR,
                SqlState::UNDEFINED_TABLE,
                SqlState::UNDEFINED_OBJECT,
                SqlState::UNDEFINED_FUNCTION,
            ]
            .contains(code)
        });
        if vanished {
            Self::Vanished(error.into())
        } else {
            Self::Other(error.into())
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

const OPERATOR_CLASSES: &str = "\
select o.oid, quote_ident(n.nspname) || '.' || quote_ident(o.opcname), o.opcmethod, o.opcintype, o.opcdefault,
       t.typtype = 'p' or t.typispreferred
from pg_opclass o
join pg_namespace n on n.oid = o.opcnamespace
join pg_type t on t.oid = o.opcintype";

const COLLATIONS: &str = "\
select co.oid, quote_ident(n.nspname) || '.' || quote_ident(co.collname)
from pg_collation co join pg_namespace n on n.oid = co.collnamespace";

/// `whole`: in a snapshot that nothing was written in, on more than one connection if need be.
async fn read(session: &Session, wanted: &Wanted, whole: bool, depth: Depth) -> std::result::Result<Loaded, Failure> {
    let client = &session.client;
    let rows = client
        .query("select oid, nspname::text from pg_namespace where nspname = any ($1)", &[&wanted.schemas])
        .await?;
    let schemas: Vec<u32> = rows.iter().map(|row| row.try_get(0)).collect::<std::result::Result<_, _>>()?;
    let mut reader = Reader::new(wanted, session.major, whole);
    let ground = &mut reader.ground;
    for row in client.query("select oid, rolname::text from pg_roles", &[]).await? {
        ground.roles.insert(row.try_get(0)?, row.try_get(1)?);
    }
    for row in client
        .query(
            "select oid, relname::text from pg_class
             where oid < 16384 and relnamespace = 'pg_catalog'::regnamespace and relkind = 'r'",
            &[],
        )
        .await?
    {
        ground.classes.insert(row.try_get(1)?, row.try_get(0)?);
    }
    for row in client.query("select d.classid, d.objid, e.extname::text from pg_depend d join pg_extension e on e.oid = d.refobjid where d.deptype = 'e' and d.refclassid = 'pg_extension'::regclass", &[]).await? {
        let address = Address::root("extension", row.try_get(2)?);
        ground.members.insert((row.try_get(0)?, row.try_get(1)?), address);
    }
    for row in client.query(OPERATOR_CLASSES, &[]).await? {
        let class = OperatorClass {
            name: row.try_get(1)?,
            method: row.try_get(2)?,
            input: row.try_get(3)?,
            default: row.try_get(4)?,
            general: row.try_get(5)?,
        };
        ground.known.add_operator_class(row.try_get(0)?, class);
    }
    for row in client.query(COLLATIONS, &[]).await? {
        ground.known.collations.insert(row.try_get(0)?, row.try_get(1)?);
    }
    let connections = Connections::of(session, whole, &schemas).await?;
    ground.within.schemas = schemas;
    let Stages { above: [roots, above], references, columns, rest } = Stages::of(session.major, whole, depth);
    let reader = reader.stage(&connections, roots).await?;
    let reader = reader.stage(&connections, above).await?;
    let mut reader = reader.stage(&connections, references).await?;
    let (over_columns, others): (Vec<Alike>, Vec<Alike>) =
        reader.take_alike().into_iter().partition(|alike| alike.trees.over_columns);
    let texts = printing::print(client, &others, &reader.ground.known).await?;
    reader.ground.texts.extend(texts);
    let mut reader = reader.stage(&connections, columns).await?;
    let texts = printing::print(client, &over_columns, &reader.ground.known).await?;
    reader.ground.texts.extend(texts);
    Ok(reader.stage(&connections, rest).await?.finish())
}

impl Loaded {
    /// What was read, by the OID of its catalog, its own, and sub.
    pub(super) fn things(&self) -> impl Iterator<Item = (Thing, &Address)> {
        // Those of one catalog stand together.
        let (mut last, mut class) = ("", 0);
        self.ids.iter().map(move |((catalog, oid, sub), address)| {
            if *catalog != last {
                (last, class) = (catalog, self.classes.get(*catalog).copied().unwrap_or_default());
            }
            ((class, *oid, *sub), address)
        })
    }

    /// Leaves out the extensions that are not owned; None for all. Their needs have not been filled in.
    pub fn keep_extensions(&mut self, owned: Option<&[String]>) {
        let Some(owned) = owned else { return };
        let is_owned = |address: &Address| address.kind() != "extension" || owned.iter().any(|o| o == address.name());
        if self.model.roots_of("extension").iter().all(|node| is_owned(&node.address)) {
            return;
        }
        self.ids.retain(|(_, address)| is_owned(address));
        let mut nodes = std::mem::take(&mut self.model).into_nodes();
        nodes.retain(|node| is_owned(&node.address));
        self.model = Model::new(nodes);
    }

    /// Reads the declared reference rows, in the transaction that the rest was read in. What the role may not read is
    /// said, not taken for absent.
    pub async fn read_rows(&mut self, session: &Session, rows: &[Node]) -> Result<()> {
        let known = |address: &Address| self.model.get(address).is_some();
        let mut nodes = Vec::new();
        for row in rows {
            let Some((sql, spec)) = kinds::row::probe(row) else { continue };
            let Some(table) = row.address.parent() else { continue };
            // Columns that are not there yet have no value; without the key there is no row at all.
            let present: Vec<&String> = spec.values.keys().filter(|c| known(&table.child("column", c))).collect();
            if !known(&table) || spec.key.iter().any(|c| !present.contains(&c)) {
                continue;
            }
            let (sql, spec) = if present.len() == spec.values.len() {
                (sql, spec)
            } else {
                let mut spec = spec.clone();
                spec.values.retain(|c, _| known(&table.child("column", c)));
                let narrowed = Node::new(row.address.clone(), crate::model::Spec::of(&spec));
                match kinds::row::probe(&narrowed) {
                    Some(probe) => probe,
                    None => continue,
                }
            };
            session.client.batch_execute("SAVEPOINT pgplumb_row").await?;
            match session.client.query(&sql, &[]).await {
                Ok(found) => {
                    for values in found {
                        nodes.push(kinds::row::found(row, spec.clone(), values.try_get(0)?));
                    }
                    session.client.batch_execute("RELEASE pgplumb_row").await?;
                }
                Err(error) => {
                    session.client.batch_execute("ROLLBACK TO pgplumb_row").await?;
                    self.unchecked.push(format!("{}: {}", row.address, Error::from(error).message()));
                }
            }
        }
        if !nodes.is_empty() {
            nodes.extend(std::mem::take(&mut self.model).into_nodes());
            self.model = Model::new(nodes);
        }
        Ok(())
    }
}
