//! Rows of the catalog, decoded into nodes: on two threads, since the client would otherwise be what a fast server waits
//! for. Within a stage no row depends on another, so that their order does not matter.

use super::depend::Links;
use super::fetch::{Connections, Within};
use super::load::{Failure, Id, Loaded, Wanted};
use super::parts::Part;
use super::printing::{self, Alike};
use super::surroundings::{Unmodelled, Unread};
use crate::error::{Error, Result};
use crate::kinds::{self, facet, Asides, Catalog, Facet, Kind, Known, KnownColumn, Row, Texts};
use crate::model::{is_ignored, Address, ForeignGrant, Grants, Model, Node};
use rustc_hash::FxHashMap;
use std::collections::{BTreeSet, HashMap};
use std::sync::mpsc::{sync_channel, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Threads that decode.
const DECODERS: usize = 2;
/// Chunks that may wait to be decoded: what a server sends is not held without a limit.
const WAITING: usize = 64;

/// Rows of the part at this place.
type Chunk = (usize, Vec<tokio_postgres::Row>);

/// What was read so far. Decoding needs the ground; what it gives is put together with the rest at the end of a stage.
#[derive(Default)]
pub struct Reader {
    pub ground: Ground,
    gathered: Gathered,
}

/// What rows are decoded with.
#[derive(Default)]
pub struct Ground {
    wanted: Wanted,
    major: u32,
    /// Nothing changes while it reads.
    settled: bool,
    pub within: Within,
    /// `pg_roles`, by OID.
    pub roles: HashMap<u32, String>,
    /// Extensions by the (catalog, OID) of their members.
    pub members: HashMap<(u32, u32), Address>,
    /// OIDs of the system catalogs.
    pub classes: HashMap<String, u32>,
    pub known: Known,
    /// Printed expressions, by kind.
    pub texts: HashMap<&'static str, Texts>,
    asides: HashMap<&'static str, Asides>,
    /// What other things may stand below.
    homes: FxHashMap<(&'static str, u32), Home>,
}

/// A parent.
struct Home {
    address: Address,
    owner: Option<Box<str>>,
    /// Its place among the nodes.
    at: usize,
}

/// What came of rows.
#[derive(Default)]
struct Gathered {
    nodes: Vec<Node>,
    /// For each node the place of its parent among them; its own at the root.
    parents: Vec<usize>,
    ids: Vec<(Id, Address)>,
    homes: FxHashMap<(&'static str, u32), Home>,
    tables: Vec<u32>,
    known: Known,
    alike: Vec<Alike>,
    asides: HashMap<&'static str, Asides>,
    foreign_grants: Vec<(Address, ForeignGrant)>,
    /// Texts by catalog, OID and number.
    comments: Vec<((u32, u32, i32), String)>,
    unmodelled: Vec<Unmodelled>,
    unread: Vec<Unread>,
    links: Links,
}

/// A row of a kind's query, decoded.
struct Thing {
    id: Id,
    node: Node,
    foreign_grants: Vec<ForeignGrant>,
    unmodelled: Vec<String>,
    /// The place of its parent.
    above: Option<usize>,
    holds_rows: bool,
}

impl Reader {
    /// Nothing yet. `settled`: nothing changes while it reads.
    pub fn new(wanted: &Wanted, major: u32, settled: bool) -> Self {
        let ground = Ground { wanted: wanted.clone(), major, settled, ..Ground::default() };
        Self { ground, ..Self::default() }
    }

    /// Reads parts that depend on earlier stages alone, while the server goes on.
    pub async fn stage(
        mut self,
        connections: &Connections<'_>,
        parts: Vec<Part>,
    ) -> std::result::Result<Self, Failure> {
        let queries: Vec<String> =
            parts.iter().map(|part| part.query(self.ground.major, self.ground.settled)).collect();
        let within = std::mem::take(&mut self.ground.within);
        let shared = Arc::new((self.ground, Mutex::new(self.gathered), parts));
        let (sender, receiver) = sync_channel::<Chunk>(WAITING);
        let receiver = Arc::new(Mutex::new(receiver));
        let decoders: Vec<_> = (0..DECODERS)
            .map(|_| {
                let (shared, receiver) = (shared.clone(), receiver.clone());
                tokio::task::spawn_blocking(move || {
                    let (ground, gathered, parts) = &*shared;
                    ground.decode(parts, &receiver, gathered)
                })
            })
            .collect();
        drop(receiver);
        // Nobody takes them where a row could not be read: that is said below.
        connections.fetch(&queries, &within, &|which, rows| drop(sender.send((which, rows)))).await?;
        drop(sender);
        for decoder in decoders {
            // What is dropped meanwhile prints as NULL.
            decoder.await.map_err(|e| Error::new(format!("reading stopped: {e}")))?.map_err(Failure::Vanished)?;
        }
        let (mut ground, gathered, _) =
            Arc::into_inner(shared).ok_or_else(|| Error::new("reading goes on".to_owned()))?;
        let mut gathered = gathered.into_inner().unwrap_or_else(PoisonError::into_inner);
        ground.within = within;
        ground.within.tables.append(&mut gathered.tables);
        ground.homes.extend(std::mem::take(&mut gathered.homes));
        ground.known.add(std::mem::take(&mut gathered.known));
        for (kind, asides) in std::mem::take(&mut gathered.asides) {
            ground.asides.entry(kind).or_default().extend(asides);
        }
        Ok(Self { ground, gathered })
    }

    /// The expressions that are not printed yet.
    pub fn take_alike(&mut self) -> Vec<Alike> {
        std::mem::take(&mut self.gathered.alike)
    }

    /// All that was read.
    pub fn finish(mut self) -> Loaded {
        let comments = self.comments();
        let Self { ground, gathered } = self;
        let Ground { members, classes, known, texts, asides, .. } = ground;
        let Gathered { nodes, parents, ids, links, mut foreign_grants, mut unmodelled, mut unread, .. } = gathered;
        // Nobody waits for that.
        tokio::task::spawn_blocking(move || drop((known, texts, asides)));
        let mut model = Model::of_tree(nodes, &parents);
        comments.into_iter().for_each(|(address, text)| model.comment(&address, text));
        foreign_grants.sort();
        unmodelled.sort();
        unread.sort();
        let (unchecked, astray) = (Vec::new(), BTreeSet::new());
        Loaded { model, ids, links, classes, members, unchecked, foreign_grants, unmodelled, unread, astray }
    }

    /// The comments, with what they are of.
    fn comments(&mut self) -> Vec<(Address, String)> {
        let ours = kinds::KINDS.iter().filter(|kind| kind.facets().contains(&Facet::Comment));
        let classes = ours.filter_map(|kind| Some(kind.catalog()?.class));
        let classes: HashMap<u32, &str> =
            classes.filter_map(|class| Some((*self.ground.classes.get(class)?, class))).collect();
        let texts = std::mem::take(&mut self.gathered.comments).into_iter();
        let mut texts: HashMap<Id, String> =
            texts.filter_map(|((class, oid, sub), text)| Some(((*classes.get(&class)?, oid, sub), text))).collect();
        let found = self.gathered.ids.iter().filter_map(|(id, address)| {
            let text = texts.remove(id)?;
            let own = kinds::kind_of(address).facets().contains(&Facet::Comment);
            // What initdb says of `public` is nobody's comment.
            let initdb = text == "standard public schema" && *address == Address::root("schema", "public");
            (own && !initdb).then(|| (address.clone(), text))
        });
        found.collect()
    }
}

impl Ground {
    /// Decodes what comes until nothing more comes. Errors: what something refers to is gone.
    fn decode(&self, parts: &[Part], chunks: &Mutex<Receiver<Chunk>>, gathered: &Mutex<Gathered>) -> Result<()> {
        let mut usual = FxHashMap::default();
        loop {
            let next = lock(chunks).recv();
            let Ok((which, rows)) = next else { return Ok(()) };
            let Part::Kind(kind, catalog) = &parts[which] else {
                let mut gathered = lock(gathered);
                rows.into_iter().try_for_each(|row| gathered.other(&parts[which], row))?;
                continue;
            };
            let of_columns = rows.iter().filter(|_| kind.is_column());
            let columns = of_columns.filter_map(|row| column(row, Catalog::FIRST).transpose());
            let columns: Vec<((u32, i16), KnownColumn)> = columns.collect::<Result<_>>()?;
            let things = rows.iter().filter_map(|row| self.thing(*kind, catalog, row, &mut usual).transpose());
            let things: Vec<Thing> = things.collect::<Result<_>>()?;
            drop(rows);
            let mut gathered = lock(gathered);
            columns.into_iter().for_each(|((relation, number), column)| {
                gathered.known.add_column(relation, number, column);
            });
            things.into_iter().for_each(|thing| gathered.add(thing, catalog));
        }
    }

    /// The thing of a row; None if it is not to be read.
    fn thing(
        &self,
        kind: &'static dyn Kind,
        catalog: &Catalog,
        row: &tokio_postgres::Row,
        usual: &mut FxHashMap<&'static str, Option<Arc<Grants>>>,
    ) -> Result<Option<Thing>> {
        let (oid, parent_oid, sub): (u32, u32, i32) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let class = self.classes.get(catalog.class).copied().unwrap_or_default();
        if sub == 0 && self.members.contains_key(&(class, oid)) {
            return Ok(None);
        }
        let home = self.homes.get(&(catalog.parent, parent_oid));
        if home.is_none() && !catalog.is_root() {
            return Ok(None);
        }
        let parent = home.map(|home| &home.address);
        let (none, nothing) = (Texts::default(), Asides::default());
        let texts = self.texts.get(kind.name()).unwrap_or(&none);
        let asides = self.asides.get(kind.name()).unwrap_or(&nothing);
        let row = &Row { row, known: &self.known, texts, asides };
        let found = kind.read(row, parent)?;
        let address = match parent {
            Some(parent) => parent.child(kind.name(), &found.name),
            None => Address::root(kind.name(), &found.name),
        };
        let owned =
            kind.name() != "extension" || self.wanted.extensions.as_ref().is_none_or(|e| e.contains(&found.name));
        if !owned || is_ignored(&address, &self.wanted.ignore) {
            return Ok(None);
        }
        let mut node = Node::new(address, found.spec);
        node.order = found.order;
        node.hints = kind.state(row)?.map(Box::new);
        let acl: Option<&str> = row.try_get(4)?;
        let owner: Option<u32> = row.try_get(3)?;
        let owner =
            owner.map(|oid| self.roles.get(&oid).map_or_else(|| oid.to_string().into(), |name| name.as_str().into()));
        let mut foreign_grants = Vec::new();
        if let Some((acl, grantable)) = acl.and_then(|acl| Some((acl, kind.grantable(&node, self.major)?))) {
            // What has no owner of its own belongs to the owner of its parent.
            let owner: Option<&str> = owner.as_deref().or_else(|| home.and_then(|home| home.owner.as_deref()));
            let (grants, foreign) = facet::read_acl(Some(acl), owner.unwrap_or_default(), &grantable);
            foreign_grants = foreign;
            node.grants = Some(Arc::new(grants));
        } else if kind.facets().contains(&Facet::Grants) {
            // The same for all of a kind.
            let usual = usual.entry(kind.name()).or_insert_with(|| {
                kind.grantable(&node, self.major).map(|on| {
                    Arc::new(if on.column.is_some() { Grants::default() } else { facet::default_grants(&on) })
                })
            });
            node.grants.clone_from(usual);
        }
        node.owner = owner.filter(|_| kind.facets().contains(&Facet::Owner));
        // As with all that no kind models, it is known of settled states alone.
        let unmodelled = if self.settled { found.unmodelled } else { Vec::new() };
        let (id, above) = ((catalog.class, oid, sub), home.map(|home| home.at));
        Ok(Some(Thing { id, node, foreign_grants, unmodelled, above, holds_rows: kind.holds_rows() }))
    }
}

impl Gathered {
    fn add(&mut self, thing: Thing, catalog: &Catalog) {
        let Thing { id, node, foreign_grants, unmodelled, above, holds_rows } = thing;
        let (at, address) = (self.nodes.len(), node.address.clone());
        self.foreign_grants.extend(foreign_grants.into_iter().map(|grant| (address.clone(), grant)));
        self.unmodelled.extend(unmodelled.into_iter().map(|what| Unmodelled { what }));
        if holds_rows {
            self.tables.push(id.1);
        }
        if catalog.is_root() || catalog.is_in_schema() {
            self.homes.insert((id.0, id.1), Home { address: address.clone(), owner: node.owner.clone(), at });
        }
        self.ids.push((id, address));
        self.parents.push(above.unwrap_or(at));
        self.nodes.push(node);
    }

    /// A row that is no thing's.
    fn other(&mut self, part: &Part, row: tokio_postgres::Row) -> Result<()> {
        match part {
            Part::Kind(..) => {}
            Part::Trees(kind, trees) => self.alike.push(printing::alike(*kind, trees, &row)?),
            Part::Aside(kind, number, _) => {
                let of = (*number, row.try_get(0)?, row.try_get(1)?);
                self.asides.entry(kind.name()).or_default().insert(of, row);
            }
            Part::Referenced => {
                self.known.referenced.insert(row.try_get(0)?, (row.try_get(3)?, row.try_get(4)?));
                if let Some(((relation, number), column)) = column(&row, Catalog::FIRST)? {
                    self.known.add_column(relation, number, column);
                }
            }
            Part::Comments => {
                self.comments.push(((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?), row.try_get(3)?));
            }
            Part::Unread => {
                let (schema, name) = (row.try_get(0)?, row.try_get(1)?);
                self.unread.push(Unread { schema, name, what: row.try_get(2)? });
            }
            Part::Needs => drop(self.links.need(&row)?),
            Part::Parts => drop(self.links.part(&row)?),
            Part::Unmodelled => self.unmodelled.push(Unmodelled { what: row.try_get(0)? }),
        }
        Ok(())
    }
}

/// The column of a row that has its relation and number in front, and its name, type and collation at `at`; None if it
/// is no column's.
fn column(row: &tokio_postgres::Row, at: usize) -> Result<Option<((u32, i16), KnownColumn)>> {
    let number: Option<i32> = row.try_get(2)?;
    let Some(number) = number.and_then(|number| i16::try_from(number).ok()).filter(|number| *number > 0) else {
        return Ok(None);
    };
    let name: &str = row.try_get(at)?;
    let column = KnownColumn { name: name.into(), base: row.try_get(at + 1)?, collation: row.try_get(at + 2)? };
    Ok(Some(((row.try_get(0)?, number), column)))
}

/// A thread that stopped half way is reported by itself.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
