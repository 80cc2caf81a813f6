//! Reads what is managed from a live database into a model: one query per kind, never one per table.
//!
//! Parents come before children in the registry, so that each row finds its parent's address by OID.
//! OIDs stay in here and in `depend`. A thing whose parent is not read (because it is ignored, belongs to
//! an extension or is of no modelled kind) is not read either.

use super::session::{for_major, Session};
use crate::error::{Error, Result};
use crate::kinds::{self, facet, Catalog, Facet, Kind};
use crate::model::{is_ignored, Address, ForeignGrant, Grants, Model, Node};
use futures_util::TryStreamExt;
use rustc_hash::FxHashMap;
use std::collections::{BTreeSet, HashMap, HashSet};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

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

/// What was read.
pub struct Loaded {
    pub model: Model,
    /// Where each OID went.
    pub ids: FxHashMap<Id, Address>,
    /// Extension by the (catalog, OID) of its members.
    pub members: HashMap<(u32, u32), Address>,
    /// What the role may not read, in words.
    pub unchecked: Vec<String>,
    /// Grants that somebody other than the owner made: reported, never touched.
    pub foreign_grants: Vec<(Address, ForeignGrant)>,
    /// What rests on something that is not managed; filled in with the dependencies.
    pub astray: BTreeSet<Address>,
}

/// Attempts when something vanishes while it is being printed: busy databases make temporary things all the time.
const ATTEMPTS: usize = 20;

/// Reads the model in one snapshot. A concurrent DROP makes a print fail; then all is read again.
pub async fn load(session: &Session, wanted: &Wanted) -> Result<Loaded> {
    let mut attempt = 1;
    loop {
        session.snapshot().await?;
        match read(session, wanted).await {
            Ok(loaded) => return Ok(loaded),
            Err(Failure::Vanished(_)) if attempt < ATTEMPTS => {
                session.release().await?;
                attempt += 1;
            }
            Err(Failure::Vanished(error) | Failure::Other(error)) => return Err(error.while_("reading the catalog")),
        }
    }
}

/// Reads the model in the transaction that is open already; where each statement sees what is committed, a
/// concurrent DROP makes it read again.
pub async fn load_within(session: &Session, wanted: &Wanted) -> Result<Loaded> {
    let mut attempt = 1;
    loop {
        session.client.batch_execute("SAVEPOINT pgplumb_read").await?;
        match read(session, wanted).await {
            Ok(loaded) => {
                session.client.batch_execute("RELEASE pgplumb_read").await?;
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

enum Failure {
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

async fn read(session: &Session, wanted: &Wanted) -> std::result::Result<Loaded, Failure> {
    let client = &session.client;
    let rows = client
        .query("select oid, nspname::text from pg_namespace where nspname = any ($1)", &[&wanted.schemas])
        .await?;
    let schemas: Vec<u32> = rows.iter().map(|row| row.try_get(0)).collect::<std::result::Result<_, _>>()?;
    let mut reader = Reader {
        wanted,
        major: session.major,
        roles: HashMap::new(),
        members: HashMap::new(),
        extensions: HashMap::new(),
        classes: HashMap::new(),
        nodes: Vec::new(),
        ids: FxHashMap::default(),
        foreign_grants: Vec::new(),
        usual: FxHashMap::default(),
        hidden: HashSet::new(),
    };
    for row in client.query("select oid, rolname::text from pg_roles", &[]).await? {
        reader.roles.insert(row.try_get(0)?, row.try_get(1)?);
    }
    for row in client
        .query(
            "select oid, relname::text from pg_class where relnamespace = 'pg_catalog'::regnamespace and relkind = 'r'",
            &[],
        )
        .await?
    {
        reader.classes.insert(row.try_get(1)?, row.try_get(0)?);
    }
    for row in client.query("select d.classid, d.objid, e.extname::text from pg_depend d join pg_extension e on e.oid = d.refobjid where d.deptype = 'e' and d.refclassid = 'pg_extension'::regclass", &[]).await? {
        let address = Address::root("extension", row.try_get(2)?);
        reader.members.insert((row.try_get(0)?, row.try_get(1)?), address);
    }
    for kind in kinds::KINDS {
        let Some(catalog) = kind.catalog() else { continue };
        let query = for_major(catalog.query, session.major);
        let parameters: [&(dyn ToSql + Sync); 1] = [&schemas];
        let stream = client.query_raw(&query, parameters).await?;
        futures_util::pin_mut!(stream);
        while let Some(row) = stream.try_next().await? {
            // What is dropped meanwhile prints as NULL.
            reader.row(*kind, &catalog, &row).map_err(Failure::Vanished)?;
        }
    }
    let comments = "select d.classoid, d.objoid, d.objsubid, d.description from pg_description d where d.objoid >= 16384 or d.objoid = any ($1)";
    let mut found = HashMap::new();
    for row in client.query(comments, &[&schemas]).await? {
        let (class, oid, sub): (u32, u32, i32) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let text: String = row.try_get(3)?;
        found.insert((class, oid, sub), text);
    }
    reader.comments(&found);
    let unchecked = rows_of(session, wanted, &mut reader).await?;
    let Reader { nodes, ids, members, foreign_grants, .. } = reader;
    Ok(Loaded { model: Model::new(nodes), ids, members, unchecked, foreign_grants, astray: BTreeSet::new() })
}

struct Reader<'a> {
    wanted: &'a Wanted,
    major: u32,
    roles: HashMap<u32, String>,
    members: HashMap<(u32, u32), Address>,
    extensions: HashMap<u32, Address>,
    classes: HashMap<String, u32>,
    nodes: Vec<Node>,
    ids: FxHashMap<Id, Address>,
    foreign_grants: Vec<(Address, ForeignGrant)>,
    /// What is held on a thing of a kind when nothing was granted or revoked.
    usual: FxHashMap<&'static str, Option<Grants>>,
    /// Positions in `nodes` of things whose comment is not theirs to say.
    hidden: HashSet<usize>,
}

impl Reader<'_> {
    fn row(&mut self, kind: &dyn Kind, catalog: &Catalog, row: &tokio_postgres::Row) -> Result<()> {
        let (oid, parent_oid, sub): (u32, u32, i32) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let class = self.classes.get(catalog.class).copied().unwrap_or_default();
        if sub == 0 && self.members.contains_key(&(class, oid)) {
            return Ok(());
        }
        let parent = match (catalog.parent, parent_oid) {
            ("", _) => None,
            (parent_class, _) => match self.ids.get(&(parent_class, parent_oid, 0)) {
                Some(address) => Some(address.clone()),
                None => return Ok(()),
            },
        };
        let found = kind.read(row, parent.as_ref())?;
        let address = match &parent {
            Some(parent) => parent.child(kind.name(), &found.name),
            None => Address::root(kind.name(), &found.name),
        };
        let owned =
            kind.name() != "extension" || self.wanted.extensions.as_ref().is_none_or(|e| e.contains(&found.name));
        if !owned || is_ignored(&address, &self.wanted.ignore) {
            return Ok(());
        }
        let mut node = Node::new(address.clone(), found.spec);
        node.order = found.order;
        node.hints = kind.state(row)?.map(Box::new);
        let acl: Option<&str> = row.try_get(4)?;
        let has_owner = kind.facets().contains(&Facet::Owner);
        let owner: Option<u32> = row.try_get(3)?;
        let owner = owner.filter(|_| has_owner || acl.is_some());
        let owner = owner.map(|oid| self.roles.get(&oid).cloned().unwrap_or_else(|| oid.to_string()));
        if let (Some(acl), Some(grantable)) = (acl, kind.grantable(&node, self.major)) {
            let (grants, foreign) = facet::read_acl(Some(acl), owner.as_deref().unwrap_or_default(), &grantable);
            self.foreign_grants.extend(foreign.into_iter().map(|g| (address.clone(), g)));
            node.grants = Some(Box::new(grants));
        } else if kind.facets().contains(&Facet::Grants) {
            // The same for all of a kind.
            let major = self.major;
            let usual = self.usual.entry(kind.name()).or_insert_with(|| {
                kind.grantable(&node, major).map(|on| {
                    if on.column.is_some() {
                        Grants::default()
                    } else {
                        facet::default_grants(&on)
                    }
                })
            });
            node.grants = usual.clone().map(Box::new);
        }
        node.owner = owner.filter(|_| has_owner).map(Into::into);
        if !kind.facets().contains(&Facet::Comment) {
            self.hidden.insert(self.nodes.len());
        }
        if kind.name() == "extension" {
            self.extensions.insert(oid, address.clone());
        }
        self.ids.insert((catalog.class, oid, sub), address);
        self.nodes.push(node);
        Ok(())
    }

    fn comments(&mut self, found: &HashMap<(u32, u32, i32), String>) {
        if found.is_empty() {
            return;
        }
        let mut by_address: HashMap<&Address, &String> = HashMap::new();
        for ((class, oid, sub), address) in &self.ids {
            let class = self.classes.get(*class).copied().unwrap_or_default();
            if let Some(text) = found.get(&(class, *oid, *sub)) {
                by_address.insert(address, text);
            }
        }
        for (at, node) in self.nodes.iter_mut().enumerate() {
            // What initdb says of `public` is nobody's comment.
            let own = |text: &String| {
                !(text == "standard public schema" && node.address == Address::root("schema", "public"))
            };
            if let (Some(text), false) = (by_address.get(&node.address).filter(|t| own(t)), self.hidden.contains(&at)) {
                node.comment = Some(text.as_str().into());
            }
        }
    }
}

/// Reads the declared reference rows. What the role may not read is said, not taken for absent.
async fn rows_of(
    session: &Session,
    wanted: &Wanted,
    reader: &mut Reader<'_>,
) -> std::result::Result<Vec<String>, Failure> {
    let mut unchecked = Vec::new();
    let known: HashSet<Address> = reader
        .nodes
        .iter()
        .filter(|n| matches!(n.address.kind(), "table" | "column"))
        .map(|n| n.address.clone())
        .collect();
    for row in &wanted.rows {
        let Some((sql, spec)) = kinds::row::probe(row) else { continue };
        let Some(table) = row.address.parent() else { continue };
        // Columns that are not there yet have no value; without the key there is no row at all.
        let present: Vec<&String> = spec.values.keys().filter(|c| known.contains(&table.child("column", c))).collect();
        if !known.contains(&table) || spec.key.iter().any(|c| !present.contains(&c)) {
            continue;
        }
        let (sql, spec) = if present.len() == spec.values.len() {
            (sql, spec)
        } else {
            let mut spec = spec.clone();
            spec.values.retain(|c, _| known.contains(&table.child("column", c)));
            let narrowed = Node::new(row.address.clone(), crate::model::Spec::of(&spec));
            match kinds::row::probe(&narrowed) {
                Some(probe) => probe,
                None => continue,
            }
        };
        let transaction = session.client.batch_execute("SAVEPOINT pgplumb_row").await;
        transaction?;
        match session.client.query(&sql, &[]).await {
            Ok(found) => {
                for values in found {
                    reader.nodes.push(kinds::row::found(row, spec.clone(), values.try_get(0)?));
                }
                session.client.batch_execute("RELEASE pgplumb_row").await?;
            }
            Err(error) => {
                session.client.batch_execute("ROLLBACK TO pgplumb_row").await?;
                unchecked.push(format!("{}: {}", row.address, Error::from(error).message()));
            }
        }
    }
    Ok(unchecked)
}
