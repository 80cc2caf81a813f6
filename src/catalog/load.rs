//! Reads what is managed from a live database into a model: one query per kind, never one per table. Rows are read
//! while the server finds the next.
//!
//! Parents come before children in the registry, so that each row finds its parent's address by OID.
//! OIDs stay in here and in `depend`. A thing whose parent is not read (because it is ignored, belongs to
//! an extension or is of no modelled kind) is not read either.

use super::fetch::{Connections, Within};
use super::printing::{self, Alike};
use super::session::{for_major, Session};
use super::surroundings::{Unmodelled, Unread};
use crate::error::{Error, Result};
use crate::kinds::{self, facet, Asides, Catalog, Facet, Kind, Known, KnownColumn, OperatorClass, Row, Texts, Trees};
use crate::model::{is_ignored, Address, ForeignGrant, Grants, Model, Node};
use rustc_hash::FxHashMap;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
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

/// Where the thing of an OID is.
pub struct Place {
    pub address: Address,
    /// Among the nodes, in the order of reading.
    at: usize,
}

/// What was read.
pub struct Loaded {
    pub model: Model,
    /// Where each OID went.
    pub ids: FxHashMap<Id, Place>,
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

/// What foreign keys refer to, with the columns of what no kind reads.
const REFERENCED: &str = "\
select r.oid, r.oid, a.attnum::int4, n.nspname::text, r.relname::text, a.attname::text, a.atttypid, a.attcollation
from (
  select distinct confrelid from pg_constraint where contype = 'f' and connamespace = any ($1)
) k
join pg_class r on r.oid = k.confrelid
join pg_namespace n on n.oid = r.relnamespace
left join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and r.oid <> all ($2)";

/// What few columns of relations have that only indexes model: parameters of operator classes, statistics targets.
const OPTIONS: &str = "\
select a.attrelid, a.attnum::text, c.relkind = 'i', a.attoptions,
       case when c.relkind in ('r', 'm') and a.attoptions is not null
            then format('options %s of column %s.%s', a.attoptions, c.oid::regclass, a.attname)
            when c.relkind = 'i' and coalesce(a.attstattarget, -1) >= 0
            then format('statistics target of index %s', c.oid::regclass) end
from (
  select attrelid, attnum, attname, attoptions, attstattarget from pg_attribute
  where (attoptions is not null or coalesce(attstattarget, -1) >= 0) and attnum > 0 and not attisdropped
  offset 0
) a
join pg_class c on c.oid = a.attrelid
where c.relnamespace = any ($1)";

/// What is read of all that there is, with the OIDs of the owned schemas.
enum Part {
    Referenced,
    Options,
    Trees(&'static dyn Kind, &'static Trees),
    /// The query of that number among a kind's asides.
    Aside(&'static dyn Kind, usize, &'static str),
    Comments,
    Unmodelled,
    Unread,
    Kind(&'static dyn Kind, Catalog),
}

/// What the kinds' own rows refer to.
fn references(major: u32) -> Vec<Part> {
    let trees = kinds::KINDS.iter().filter_map(|kind| Some(Part::Trees(*kind, kind.trees()?)));
    let asides = kinds::KINDS.iter().flat_map(|kind| {
        let asked = kind.asides().iter().enumerate().filter(move |(_, query)| !for_major(query, major).is_empty());
        asked.map(|(number, query)| Part::Aside(*kind, number, query))
    });
    trees.chain(asides).chain([Part::Referenced]).collect()
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
            "select oid, relname::text from pg_class
             where oid < 16384 and relnamespace = 'pg_catalog'::regnamespace and relkind = 'r'",
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
    let connections = Connections::of(session, whole, &schemas).await?;
    reader.settled = whole;
    reader.within.schemas = schemas;
    // First what comes before columns, then what these refer to, columns, and what refers to them.
    let kinds = kinds::KINDS.iter().filter_map(|kind| Some((*kind, kind.catalog()?)));
    let columns = kinds.clone().position(|(kind, _)| kind.trees().is_some_and(|trees| !trees.over_columns));
    let mut before: Vec<Part> = kinds.map(|(kind, catalog)| Part::Kind(kind, catalog)).collect();
    let mut columns = before.split_off(columns.unwrap_or_default());
    let after = columns.split_off(1);
    let others = [Part::Options, Part::Comments].into_iter();
    columns.extend(others.chain([Part::Unmodelled, Part::Unread].into_iter().filter(|_| whole)));
    let reader = reader.stage(&connections, before).await?;
    let mut reader = reader.stage(&connections, references(session.major)).await?;
    let over_columns = |alike: &&Alike| alike.trees.over_columns;
    let (alike, mut texts) = (std::mem::take(&mut reader.alike), HashMap::new());
    printing::print(client, alike.iter().filter(|a| !over_columns(a)), &reader.known, &mut texts).await?;
    reader.texts = std::mem::take(&mut texts);
    let mut reader = reader.stage(&connections, columns).await?;
    printing::print(client, alike.iter().filter(over_columns), &reader.known, &mut texts).await?;
    reader.texts.extend(texts);
    Ok(reader.stage(&connections, after).await?.finish())
}

#[derive(Default)]
struct Reader {
    wanted: Wanted,
    major: u32,
    roles: HashMap<u32, String>,
    members: HashMap<(u32, u32), Address>,
    classes: HashMap<String, u32>,
    known: Known,
    within: Within,
    /// Nothing changes while it reads.
    settled: bool,
    alike: Vec<Alike>,
    /// Printed expressions, by kind.
    texts: HashMap<&'static str, Texts>,
    asides: HashMap<&'static str, Asides>,
    nodes: Vec<Node>,
    /// For each node the place of its parent among them; its own at the root.
    parents: Vec<usize>,
    ids: FxHashMap<Id, Place>,
    foreign_grants: Vec<(Address, ForeignGrant)>,
    /// What is held on a thing of a kind when nothing was granted or revoked.
    usual: FxHashMap<&'static str, Option<Arc<Grants>>>,
    /// Texts by catalog, OID and number.
    comments: Vec<((u32, u32, i32), String)>,
    unmodelled: Vec<Unmodelled>,
    unread: Vec<Unread>,
}

impl Reader {
    /// Reads some parts, which may need what was read before. Rows are decoded while the server goes on.
    async fn stage(mut self, connections: &Connections<'_>, parts: Vec<Part>) -> std::result::Result<Self, Failure> {
        let queries: Vec<String> = parts.iter().map(|part| self.query(part)).collect();
        let within = std::mem::take(&mut self.within);
        let (sender, receiver) = std::sync::mpsc::channel::<(usize, Vec<tokio_postgres::Row>)>();
        let reading = tokio::task::spawn_blocking(move || {
            for (which, rows) in receiver {
                // What is dropped meanwhile prints as NULL.
                rows.into_iter().try_for_each(|row| self.part(&parts[which], row)).map_err(Failure::Vanished)?;
            }
            Ok::<_, Failure>(self)
        });
        // Nobody takes them where a row could not be read: that is said below.
        connections.fetch(&queries, &within, &mut |which, rows| drop(sender.send((which, rows)))).await?;
        drop(sender);
        let mut read: Self = reading.await.map_err(|e| Error::new(format!("reading stopped: {e}")))??;
        read.within.schemas = within.schemas;
        read.within.tables.extend(within.tables);
        Ok(read)
    }

    fn query(&self, part: &Part) -> String {
        match part {
            Part::Referenced => REFERENCED.to_owned(),
            Part::Options => OPTIONS.to_owned(),
            Part::Trees(_, trees) => printing::query(trees, self.settled),
            Part::Aside(_, _, query) => for_major(query, self.major),
            Part::Comments => COMMENTS.to_owned(),
            Part::Unmodelled => include_str!("unmodelled.sql").to_owned(),
            Part::Unread => UNREAD.to_owned(),
            Part::Kind(_, catalog) => for_major(catalog.query, self.major),
        }
    }

    fn part(&mut self, part: &Part, row: tokio_postgres::Row) -> Result<()> {
        match part {
            Part::Referenced => self.referenced(&row)?,
            Part::Options => self.options(&row)?,
            Part::Trees(kind, trees) => self.alike.push(printing::alike(*kind, trees, &row)?),
            Part::Aside(kind, number, _) => {
                let of = (*number, row.try_get(0)?, row.try_get(1)?);
                self.asides.entry(kind.name()).or_default().insert(of, row);
            }
            Part::Kind(kind, catalog) => self.row(*kind, catalog, &row)?,
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

    fn referenced(&mut self, row: &tokio_postgres::Row) -> Result<()> {
        self.known.referenced.insert(row.try_get(0)?, (row.try_get(3)?, row.try_get(4)?));
        if row.try_get::<_, Option<i32>>(2)?.is_some() {
            self.column(row, Catalog::FIRST)?;
        }
        Ok(())
    }

    fn options(&mut self, row: &tokio_postgres::Row) -> Result<()> {
        let (number, of_index): (&str, bool) = (row.try_get(1)?, row.try_get(2)?);
        if let (true, Some(options)) = (of_index, row.try_get::<_, Option<Vec<&str>>>(3)?) {
            let parameters = self.known.parameters.entry(row.try_get(0)?).or_default();
            parameters.extend(options.into_iter().map(|option| format!("{number} {option}")));
            parameters.sort();
        }
        if self.settled {
            self.unmodelled.extend(row.try_get::<_, Option<String>>(4)?.map(|what| Unmodelled { what }));
        }
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
                Some(place) => Some(place),
                None => return Ok(()),
            },
        };
        let at = self.nodes.len();
        let (parent, above) = (parent.map(|place| &place.address), parent.map_or(at, |place| place.at));
        let texts = self.texts.entry(kind.name()).or_default();
        let asides = self.asides.entry(kind.name()).or_default();
        let row = &Row { row, known: &self.known, texts, asides };
        let found = kind.read(row, parent)?;
        let address = match parent {
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
        let owner = owner.map(|oid| self.roles.get(&oid).cloned().unwrap_or_else(|| oid.to_string()));
        // What has none of its own belongs to the owner of its parent.
        let owner_above = || self.nodes.get(above).and_then(|parent| parent.owner.as_deref().map(str::to_owned));
        let owner = owner.or_else(|| acl.and_then(|_| owner_above()));
        if let Some((acl, grantable)) = acl.and_then(|acl| Some((acl, kind.grantable(&node, self.major)?))) {
            let (grants, foreign) = facet::read_acl(Some(acl), owner.as_deref().unwrap_or_default(), &grantable);
            self.foreign_grants.extend(foreign.into_iter().map(|g| (address.clone(), g)));
            node.grants = Some(Arc::new(grants));
        } else if kind.facets().contains(&Facet::Grants) {
            // The same for all of a kind.
            let major = self.major;
            let usual = self.usual.entry(kind.name()).or_insert_with(|| {
                kind.grantable(&node, major).map(|on| {
                    Arc::new(if on.column.is_some() { Grants::default() } else { facet::default_grants(&on) })
                })
            });
            node.grants = usual.clone();
        }
        node.owner = owner.filter(|_| has_owner).map(Into::into);
        if kind.holds_rows() {
            self.within.tables.push(oid);
        }
        self.ids.insert((catalog.class, oid, sub), Place { address, at });
        self.nodes.push(node);
        self.parents.push(above);
        Ok(())
    }

    fn finish(mut self) -> Loaded {
        let comments = self.comments();
        let Self { nodes, parents, ids, members, foreign_grants, mut unmodelled, unread, known, texts, asides, .. } =
            self;
        // Nobody waits for that.
        tokio::task::spawn_blocking(move || drop((known, texts, asides)));
        let mut model = Model::of_tree(nodes, &parents);
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
            let address = &self.ids.get(&(*classes.get(&class)?, oid, sub))?.address;
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
        let is_owned = |node: &&Node| owned.iter().any(|name| name == node.address.name());
        let roots = self.model.roots_of("extension");
        let others: Vec<Address> = roots.iter().filter(|n| !is_owned(n)).map(|n| n.address.clone()).collect();
        if !others.is_empty() {
            let nodes = std::mem::take(&mut self.model).into_nodes();
            self.model = Model::new(nodes.into_iter().filter(|n| !others.contains(&n.address)).collect());
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
