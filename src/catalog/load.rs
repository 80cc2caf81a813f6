//! Reads what is managed from a live database into a model: one query per kind, never one per table. Rows are read
//! while the server finds the next.
//!
//! Parents come before children in the registry, so that each row finds its parent's address by OID.
//! OIDs stay in here and in `depend`. A thing whose parent is not read (because it is ignored, belongs to
//! an extension or is of no modelled kind) is not read either.

use super::fetch::{fetch, Query, CHUNK};
use super::session::{for_major, Session};
use super::surroundings::{Unmodelled, Unread};
use crate::error::{Error, Result};
use crate::kinds::{self, facet, Catalog, Facet, Kind, Known, KnownColumn, OperatorClass, Row};
use crate::model::{is_ignored, Address, ForeignGrant, Grants, Model, Node};
use rustc_hash::FxHashMap;
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
    /// What no kind models: it is never touched. Empty where it was read amid changes.
    pub unmodelled: Vec<Unmodelled>,
    /// Of those, relations that have the name of something that could be read. Empty likewise.
    pub unread: Vec<Unread>,
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
        match read(session, wanted, true).await {
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

/// Reads the model in the transaction that is open already; where each statement sees what is committed, a
/// concurrent DROP makes it read again.
pub async fn load_within(session: &Session, wanted: &Wanted) -> Result<Loaded> {
    let mut attempt = 1;
    loop {
        session.client.batch_execute("SAVEPOINT pgplumb_read").await?;
        match read(session, wanted, false).await {
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

const OPERATOR_CLASSES: &str = "\
select o.oid, quote_ident(n.nspname) || '.' || quote_ident(o.opcname), o.opcmethod, o.opcintype, o.opcdefault,
       t.typtype = 'p' or t.typispreferred
from pg_opclass o
join pg_namespace n on n.oid = o.opcnamespace
join pg_type t on t.oid = o.opcintype";

const COLLATIONS: &str = "\
select co.oid, quote_ident(n.nspname) || '.' || quote_ident(co.collname)
from pg_collation co join pg_namespace n on n.oid = co.collnamespace";

const UNREAD: &str = "\
select n.nspname::text, c.relname::text,
       case when c.relkind = 'f' then 'a foreign table' when c.relispartition then 'a partition'
            when c.relkind = 'p' then 'a partitioned table'
            when exists (select from pg_inherits i where i.inhrelid = c.oid) then 'a table that inherits from another'
            else 'a table that another inherits from' end
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relnamespace = any ($1)
  and (c.relkind in ('p', 'f') or c.relkind = 'r' and (c.relispartition
       or exists (select from pg_inherits i where i.inhrelid = c.oid or i.inhparent = c.oid)))
order by 1, 2";

const COMMENTS: &str = "\
select d.classoid, d.objoid, d.objsubid, d.description from pg_description d where d.objoid >= 16384 or d.objoid = any ($1)";

/// Columns of what no kind reads and foreign keys refer to.
const ELSEWHERE: &str = "\
select attrelid, attrelid, attnum::int4, null, null, attname::text, atttypid, attcollation from pg_attribute
where attnum > 0 and attrelid in (
  select k.confrelid from pg_constraint k
  join pg_class r on r.oid = k.confrelid
  where k.contype = 'f' and (r.relnamespace <> all ($1) or r.relkind <> 'r'))";

/// What is read of all that there is, with the OIDs of the owned schemas.
enum Part {
    Columns,
    Kind(&'static dyn Kind, Catalog),
    Comments,
    Unmodelled,
    Unread,
}

/// In the order in which the rows are needed. `whole`: also what no kind models.
fn parts(whole: bool) -> impl Iterator<Item = Part> {
    let kinds = kinds::KINDS.iter().filter_map(|kind| Some(Part::Kind(*kind, kind.catalog()?)));
    std::iter::once(Part::Columns)
        .chain(kinds)
        .chain([Part::Comments])
        .chain(whole.then_some(Part::Unmodelled))
        .chain(whole.then_some(Part::Unread))
}

/// `whole`: in a snapshot that nothing was written in, on more than one connection if need be.
async fn read(session: &Session, wanted: &Wanted, whole: bool) -> std::result::Result<Loaded, Failure> {
    let client = &session.client;
    let rows = client
        .query("select oid, nspname::text from pg_namespace where nspname = any ($1)", &[&wanted.schemas])
        .await?;
    let schemas: Vec<u32> = rows.iter().map(|row| row.try_get(0)).collect::<std::result::Result<_, _>>()?;
    let mut reader = Reader { wanted: wanted.clone(), major: session.major, ..Reader::default() };
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
    for row in client.query(OPERATOR_CLASSES, &[]).await? {
        let class = OperatorClass {
            name: row.try_get(1)?,
            method: row.try_get(2)?,
            input: row.try_get(3)?,
            default: row.try_get(4)?,
            general: row.try_get(5)?,
        };
        reader.known.add_operator_class(row.try_get(0)?, class);
    }
    for row in client.query(COLLATIONS, &[]).await? {
        reader.known.collations.insert(row.try_get(0)?, row.try_get(1)?);
    }
    let text = |part: &Part| match part {
        Part::Columns => ELSEWHERE.to_owned(),
        Part::Kind(_, catalog) => for_major(catalog.query, session.major),
        Part::Comments => COMMENTS.to_owned(),
        Part::Unmodelled => include_str!("unmodelled.sql").to_owned(),
        Part::Unread => UNREAD.to_owned(),
    };
    let parts: Vec<Part> = parts(whole).collect();
    let opens = |part: &Part| matches!(part, Part::Kind(kind, _) if kind.opens_relations());
    let query = |part| Query { sql: text(part), opens_relations: opens(part) };
    let queries: Vec<Query> = parts.iter().map(query).collect();
    let (sender, receiver) = std::sync::mpsc::channel::<(usize, Vec<tokio_postgres::Row>)>();
    let reading = tokio::task::spawn_blocking(move || {
        for (which, rows) in receiver {
            // What is dropped meanwhile prints as NULL.
            rows.iter().try_for_each(|row| reader.part(&parts[which], row)).map_err(Failure::Vanished)?;
            if rows.len() < CHUNK {
                // The last of its kind: runs that are sorted already make the whole sorted soon.
                reader.sort();
            }
        }
        Ok::<_, Failure>(reader.finish())
    });
    // Nobody takes them where a row could not be read: that is said below.
    fetch(session, whole, &queries, &schemas, &mut |which, rows| drop(sender.send((which, rows)))).await?;
    drop(sender);
    reading.await.map_err(|e| Error::new(format!("reading stopped: {e}")))?
}

#[derive(Default)]
struct Reader {
    wanted: Wanted,
    major: u32,
    roles: HashMap<u32, String>,
    members: HashMap<(u32, u32), Address>,
    classes: HashMap<String, u32>,
    known: Known,
    nodes: Vec<Node>,
    /// How many of them are sorted.
    sorted: usize,
    ids: FxHashMap<Id, Address>,
    foreign_grants: Vec<(Address, ForeignGrant)>,
    /// What is held on a thing of a kind when nothing was granted or revoked.
    usual: FxHashMap<&'static str, Option<Grants>>,
    /// Texts by catalog, OID and number.
    comments: Vec<((u32, u32, i32), String)>,
    unmodelled: Vec<Unmodelled>,
    unread: Vec<Unread>,
}

impl Reader {
    fn part(&mut self, part: &Part, row: &tokio_postgres::Row) -> Result<()> {
        match part {
            Part::Columns => self.column(row, Catalog::FIRST)?,
            Part::Kind(kind, catalog) => self.row(*kind, catalog, row)?,
            Part::Comments => {
                self.comments.push(((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?), row.try_get(3)?));
            }
            Part::Unread => {
                let (schema, name) = (row.try_get(0)?, row.try_get(1)?);
                self.unread.push(Unread { schema, name, what: row.try_get(2)? });
            }
            Part::Unmodelled => self.unmodelled.push(Unmodelled { what: row.try_get(0)? }),
        }
        Ok(())
    }

    /// Notes the column of a row that has its name, type and collation at `at`.
    fn column(&mut self, row: &tokio_postgres::Row, at: usize) -> Result<()> {
        let number: i32 = row.try_get(2)?;
        let name: &str = row.try_get(at)?;
        let column = KnownColumn { name: name.into(), base: row.try_get(at + 1)?, collation: row.try_get(at + 2)? };
        self.known.add_column(row.try_get(0)?, number.try_into().unwrap_or(0), column);
        Ok(())
    }

    fn row(&mut self, kind: &dyn Kind, catalog: &Catalog, row: &tokio_postgres::Row) -> Result<()> {
        let (oid, parent_oid, sub): (u32, u32, i32) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let class = self.classes.get(catalog.class).copied().unwrap_or_default();
        if sub > 0 {
            self.column(row, Catalog::FIRST)?;
        }
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
        let row = &Row { row, known: &self.known };
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
        if let Some((acl, grantable)) = acl.and_then(|acl| Some((acl, kind.grantable(&node, self.major)?))) {
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
        self.ids.insert((catalog.class, oid, sub), address);
        self.nodes.push(node);
        Ok(())
    }

    /// Sorts what was added since it was done last.
    fn sort(&mut self) {
        self.nodes[self.sorted..].sort_by(|a, b| a.address.cmp(&b.address));
        self.sorted = self.nodes.len();
    }

    fn finish(mut self) -> Loaded {
        let comments = self.comments();
        let Self { nodes, ids, members, foreign_grants, mut unmodelled, unread, .. } = self;
        let mut model = Model::new(nodes);
        comments.into_iter().for_each(|(address, text)| model.comment(&address, text));
        unmodelled.sort();
        let (unchecked, astray) = (Vec::new(), BTreeSet::new());
        Loaded { model, ids, members, unchecked, foreign_grants, unmodelled, unread, astray }
    }

    /// The comments, with what they are of.
    fn comments(&mut self) -> Vec<(Address, String)> {
        let ours = kinds::KINDS.iter().filter(|kind| kind.facets().contains(&Facet::Comment));
        let classes = ours.filter_map(|kind| Some(kind.catalog()?.class));
        let classes: HashMap<u32, &str> =
            classes.filter_map(|class| Some((*self.classes.get(class)?, class))).collect();
        let found = std::mem::take(&mut self.comments).into_iter().filter_map(|((class, oid, sub), text)| {
            let address = self.ids.get(&(*classes.get(&class)?, oid, sub))?;
            let own = kinds::kind_of(address).facets().contains(&Facet::Comment);
            // What initdb says of `public` is nobody's comment.
            let initdb = text == "standard public schema" && *address == Address::root("schema", "public");
            (own && !initdb).then(|| (address.clone(), text))
        });
        found.collect()
    }
}

impl Loaded {
    /// Leaves out the extensions that are not owned; None for all.
    pub fn keep_extensions(&mut self, owned: Option<&[String]>) {
        let Some(owned) = owned else { return };
        let kept =
            |node: &Node| node.address.kind() != "extension" || owned.iter().any(|name| name == node.address.name());
        if !self.model.nodes().iter().all(kept) {
            let nodes = std::mem::take(&mut self.model).into_nodes();
            self.model = Model::new(nodes.into_iter().filter(kept).collect());
        }
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
