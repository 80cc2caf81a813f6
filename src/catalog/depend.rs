//! Who depends on whom: rows of `pg_depend`, all of them or those `around` what differs, resolved in memory.
//!
//! PostgreSQL hangs dependencies on things that are parts of others here: a default, a rewrite rule, a
//! row type, the index of a constraint. `parts` says whose they are.

use super::load::Loaded;
use super::session::Session;
use crate::error::Result;
use crate::model::{Address, ForeignGrant, Model, Node};
use crate::sql::qualified;
use futures_util::TryStreamExt;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeSet, HashMap};
use tokio_postgres::Row;

/// What is live, hangs on something managed, and is itself not, by what it hangs on.
#[derive(Clone, Debug, Default)]
pub struct Unmanaged {
    pub dependents: HashMap<Address, Vec<Dependent>>,
    /// Grants that another role than the owner made.
    pub grants: HashMap<Address, Vec<ForeignGrant>>,
    /// What holds a name in an owned schema, by name space and qualified name as in `Kind::slots`.
    pub names: HashMap<(String, String), Holder>,
}

/// Something live that is not managed and bears a name that something managed could have.
#[derive(Clone, Debug)]
pub struct Holder {
    /// What it is, in PostgreSQL's words and the server's language: for people.
    pub what: String,
    /// Schema and name as they are, as a pattern names it that leaves it alone; None of an index or a sequence.
    pub pattern: Option<String>,
}

/// Something live that is not managed.
#[derive(Clone, Debug)]
pub struct Dependent {
    /// What it is, in PostgreSQL's words and the server's language: for people.
    pub what: String,
    /// Whether PostgreSQL makes it anew by itself when the type of a column changes: an index, a constraint, a
    /// default, a statistics object (manual, ALTER TABLE).
    pub remade: bool,
    /// The table whose foreign key to another one it is.
    pub referrer: Option<String>,
}

impl Unmanaged {
    /// The same under the addresses that things have after renames.
    pub fn moved(&self, to: &dyn Fn(&Address) -> Address) -> Self {
        let Self { dependents, grants, names } = self;
        Self {
            dependents: dependents.iter().map(|(on, what)| (to(on), what.clone())).collect(),
            grants: grants.iter().map(|(on, what)| (to(on), what.clone())).collect(),
            names: names.clone(),
        }
    }
}

/// What is a part of something else here.
pub(super) const PARTS: &str = "\
select 'pg_attrdef'::regclass::oid, oid, 'pg_class'::regclass::oid, adrelid, adnum::int4 from pg_attrdef where adrelid >= 16384
union all select 'pg_rewrite'::regclass, oid, 'pg_class'::regclass, ev_class, 0 from pg_rewrite where ev_class >= 16384 and rulename = '_RETURN'
union all select 'pg_type'::regclass, oid, 'pg_class'::regclass, typrelid, 0 from pg_type where typrelid >= 16384
union all select 'pg_type'::regclass, typarray, 'pg_type'::regclass, oid, 0 from pg_type where typarray >= 16384 and typrelid = 0
union all select 'pg_type'::regclass, typarray, 'pg_class'::regclass, typrelid, 0 from pg_type where typarray >= 16384 and typrelid >= 16384
union all select 'pg_class'::regclass, typrelid, 'pg_type'::regclass, t.oid, 0 from pg_type t join pg_class c on c.oid = typrelid where c.relkind = 'c' and t.oid >= 16384
union all select 'pg_class'::regclass, conindid, 'pg_constraint'::regclass, oid, 0 from pg_constraint where conindid >= 16384 and contype in ('p', 'u', 'x')
union all select 'pg_constraint'::regclass, oid, 'pg_class'::regclass, conrelid, conkey[1]::int4 from pg_constraint where contype = 'n' and conrelid >= 16384
union all select 'pg_constraint'::regclass, oid, 'pg_type'::regclass, contypid, 0 from pg_constraint where contypid >= 16384
union all select 'pg_constraint'::regclass, tgconstraint, 'pg_trigger'::regclass, oid, 0 from pg_trigger where tgconstraint <> 0 and not tgisinternal
union all select 'pg_class'::regclass, objid, 'pg_class'::regclass, refobjid, refobjsubid from pg_depend
  where classid = 'pg_class'::regclass and deptype = 'i' and refclassid = 'pg_class'::regclass and refobjsubid > 0";

/// What depends on what, whether internally, and whether that says nothing: how a policy hangs on its table, and what
/// PostgreSQL makes beside something and nobody sees.
pub(super) const LINKS: &str = "\
select classid, objid, objsubid, refclassid, refobjid, refobjsubid, deptype = 'i',
       deptype = 'i' and (classid in ('pg_trigger'::regclass, 'pg_type'::regclass)
                          or classid = 'pg_class'::regclass and refobjsubid = 0)
       or deptype = 'a' and classid = 'pg_policy'::regclass as silent
from pg_depend where deptype in ('n', 'a', 'i', 'P', 'S') and objid >= 16384 and refobjid >= 16384";

/// What bears a name in the schemas `$1`, one of `$2` unless these are null: its catalog, its OID, its name spaces, its
/// schema and its name.
const NAMES: &str = "\
select * from (
select 'pg_class'::regclass::oid, c.oid, case c.relkind when 'c' then '{type}' when 'i' then '{relation}' when 'I' then '{relation}'
         when 'S' then '{relation}' else '{relation,type}' end::text[], n.nspname::text, c.relname::text
from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = any ($1)
union all
select 'pg_type'::regclass, t.oid, '{type}', n.nspname::text, t.typname::text
from pg_type t join pg_namespace n on n.oid = t.typnamespace
where n.nspname = any ($1) and t.typrelid = 0 and not exists (select from pg_type e where e.typarray = t.oid)
union all
select 'pg_collation'::regclass, c.oid, '{collation}', n.nspname::text, c.collname::text
from pg_collation c join pg_namespace n on n.oid = c.collnamespace where n.nspname = any ($1)
union all
select 'pg_ts_config'::regclass, c.oid, '{configuration}', n.nspname::text, c.cfgname::text
from pg_ts_config c join pg_namespace n on n.oid = c.cfgnamespace where n.nspname = any ($1)
union all
-- Not of names that are more in a pattern.
select 'pg_operator'::regclass, o.oid, '{operator}', n.nspname::text, o.oprname::text
from pg_operator o join pg_namespace n on n.oid = o.oprnamespace where n.nspname = any ($1) and o.oprname !~ '[*?]'
union all
select 'pg_proc'::regclass, p.oid, '{aggregate}', n.nspname::text, p.proname::text
from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = any ($1) and p.prokind = 'a'
) named (class, oid, spaces, schema, name) where $2::text[] is null or name = any ($2)";

/// Something in this one database: OID of the catalog, OID, and number of a column.
pub type Thing = (u32, u32, i32);

/// What the catalog says of how things hang together, before it is known what they are.
#[derive(Default)]
pub struct Links {
    /// What is a part of something else: its catalog and OID, and whose it is.
    pub parts: FxHashMap<(u32, u32), Thing>,
    /// Who depends on what, and whether internally.
    pub needs: Vec<(Thing, Thing, bool)>,
}

impl Links {
    /// The query for all that say something.
    pub(super) fn all() -> String {
        format!("select * from ({LINKS}) l where not silent")
    }

    /// All that there are.
    pub(super) async fn read(session: &Session) -> Result<Self> {
        let mut links = Self::default();
        let none: [&str; 0] = [];
        let rows = session.client.query_raw(&Self::all(), none).await?;
        futures_util::pin_mut!(rows);
        while let Some(row) = rows.try_next().await? {
            links.need(&row)?;
        }
        let rows = session.client.query_raw(PARTS, none).await?;
        futures_util::pin_mut!(rows);
        while let Some(row) = rows.try_next().await? {
            links.part(&row)?;
        }
        Ok(links)
    }

    /// Takes a row of [`PARTS`], and says what is a part of what.
    pub fn part(&mut self, row: &Row) -> std::result::Result<(Thing, Thing), tokio_postgres::Error> {
        let (class, oid): (u32, u32) = (row.try_get(0)?, row.try_get(1)?);
        let whole = (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
        self.parts.insert((class, oid), whole);
        Ok(((class, oid, 0), whole))
    }

    /// Takes a row of [`LINKS`], and says what depends on what.
    pub fn need(&mut self, row: &Row) -> std::result::Result<(Thing, Thing), tokio_postgres::Error> {
        let thing = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let on = (row.try_get(3)?, row.try_get(4)?, row.try_get(5)?);
        if !row.try_get::<_, bool>(7)? {
            self.needs.push((thing, on, row.try_get(6)?));
        }
        Ok((thing, on))
    }
}

/// Something in the model or the extension that brought it.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub address: &'a Address,
    /// Its place among the nodes.
    pub place: Option<usize>,
}

/// What the things of a database are.
pub(super) struct Known<'a> {
    things: FxHashMap<Thing, Found<'a>>,
    members: &'a HashMap<(u32, u32), Address>,
}

impl<'a> Known<'a> {
    /// All that was loaded; `nodes` are those of its model.
    fn all(loaded: &'a Loaded, nodes: &[Node]) -> Self {
        let places: FxHashMap<&Address, usize> =
            nodes.iter().enumerate().map(|(at, node)| (&node.address, at)).collect();
        let mut things: FxHashMap<Thing, Found> = FxHashMap::default();
        things.reserve(loaded.ids.len());
        things.extend(
            loaded.things().map(|(thing, address)| (thing, Found { address, place: places.get(address).copied() })),
        );
        Self { things, members: &loaded.members }
    }

    /// The same of some things alone, by catalog and OID.
    pub fn some(loaded: &'a Loaded, nodes: &[Node], wanted: &FxHashSet<(u32, u32)>) -> Self {
        let place = |address: &Address| nodes.binary_search_by(|node| node.address.cmp(address)).ok();
        let some = loaded.things().filter(|((class, oid, _), _)| wanted.contains(&(*class, *oid)));
        let things = some.map(|(thing, address)| (thing, Found { address, place: place(address) })).collect();
        Self { things, members: &loaded.members }
    }

    /// What something is, or what it is a part of.
    pub fn resolve(&self, thing: Thing, parts: &FxHashMap<(u32, u32), Thing>) -> Option<Found<'a>> {
        let (mut class, mut oid, mut sub) = thing;
        // A part of a part (the array type of a row type) is two steps away; no chain is longer.
        for _ in 0..3 {
            let found = self.things.get(&(class, oid, sub)).or_else(|| self.things.get(&(class, oid, 0)));
            if let Some(found) = found {
                return Some(*found);
            }
            if let Some(address) = self.members.get(&(class, oid)) {
                return Some(Found { address, place: None });
            }
            (class, oid, sub) = *parts.get(&(class, oid))?;
        }
        None
    }
}

/// Fills in the needs of the model's nodes and what rests on nothing managed, and returns what is unmanaged and depends on
/// them, or has a certain name. The links have been read.
pub async fn dependencies(session: &Session, loaded: &mut Loaded, names: Names<'_>) -> Result<Unmanaged> {
    let bearers = names.bearers(session).await?;
    let links = std::mem::take(&mut loaded.links);
    let mut nodes = std::mem::take(&mut loaded.model).into_nodes();
    let known = Known::all(loaded, &nodes);
    let linked = link(session, &known, &mut nodes, links, &bearers).await?;
    drop(known);
    Ok(linked.into(loaded, nodes))
}

/// The names that matter where they are borne by what is not managed.
#[derive(Default)]
pub struct Names<'a> {
    pub schemas: &'a [String],
    /// Without their schemas; None for all.
    pub named: Option<Vec<String>>,
}

impl Names<'_> {
    /// What bears them, as [`NAMES`] says.
    pub(super) async fn bearers(&self, session: &Session) -> Result<Vec<Row>> {
        if self.schemas.is_empty() || self.named.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Vec::new());
        }
        Ok(session.client.query(NAMES, &[&self.schemas, &self.named]).await?)
    }
}

/// Adds to the nodes' needs what the links say.
pub(super) async fn link(
    session: &Session,
    known: &Known<'_>,
    nodes: &mut [Node],
    links: Links,
    bearers: &[Row],
) -> Result<Linked> {
    let Links { parts, needs: links } = links;
    let resolve = |thing: Thing| known.resolve(thing, &parts);
    // By their places among the nodes, which are in the order of addresses.
    let mut needs: Vec<(usize, usize)> = Vec::with_capacity(links.len());
    let mut others: HashMap<usize, Vec<Address>> = HashMap::new();
    let mut unknown: HashMap<Address, Vec<Thing>> = HashMap::new();
    let mut astray: BTreeSet<Address> = BTreeSet::new();
    for (thing, on, internal) in links {
        let Some(Found { address: on, place: on_place }) = resolve(on) else {
            astray.extend(resolve(thing).filter(|_| !internal).map(|found| found.address.clone()));
            continue;
        };
        match resolve(thing) {
            Some(Found { address, place: Some(of) }) if !address.is_within(on) => match on_place {
                Some(place) => needs.push((of, place)),
                None => others.entry(of).or_default().push(on.clone()),
            },
            // What an extension brought is not managed.
            Some(Found { address, place }) if place.is_some() || address.kind() != "extension" => {}
            Some(_) | None if internal || on.kind() == "extension" || on.kind() == "schema" => {}
            Some(_) | None => unknown.entry(on.clone()).or_default().push(thing),
        }
    }
    needs.sort_unstable();
    needs.dedup();
    let mut held: HashMap<(u32, u32), Held> = HashMap::new();
    for row in bearers {
        let (class, oid): (u32, u32) = (row.try_get(0)?, row.try_get(1)?);
        if resolve((class, oid, 0)).is_none() {
            let (spaces, schema, name): (Vec<String>, &str, &str) = (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
            let pattern = spaces.iter().all(|space| space != "relation" || spaces.len() > 1);
            let pattern = pattern.then(|| format!("{schema}.{name}"));
            let name = qualified(schema, name);
            let slots = spaces.into_iter().map(|space| (space, name.clone())).collect();
            held.insert((class, oid), Held { slots, pattern });
        }
    }
    for of_one in needs.chunk_by(|(a, _), (b, _)| a == b) {
        let on: Vec<Address> = of_one.iter().map(|(_, on)| nodes[*on].address.clone()).collect();
        let Some((of, _)) = of_one.first() else { continue };
        let needs = &mut nodes[*of].needs;
        // What was there before is not in its place.
        if !needs.is_empty() {
            others.entry(*of).or_default();
        }
        needs.extend(on);
    }
    for (of, mut more) in others {
        let needs = &mut nodes[of].needs;
        needs.append(&mut more);
        needs.sort();
        needs.dedup();
    }
    let unmanaged = Unmanaged {
        dependents: describe(session, unknown).await?,
        names: holders(session, held).await?,
        ..Unmanaged::default()
    };
    Ok(Linked { astray, unmanaged })
}

/// What links say besides the needs of nodes.
pub(super) struct Linked {
    astray: BTreeSet<Address>,
    unmanaged: Unmanaged,
}

impl Linked {
    /// Puts the nodes back to what was loaded, and gives what is unmanaged.
    pub fn into(self, loaded: &mut Loaded, nodes: Vec<Node>) -> Unmanaged {
        let Self { astray, mut unmanaged } = self;
        loaded.model = Model::new(nodes);
        loaded.astray = astray;
        for (on, grant) in &loaded.foreign_grants {
            unmanaged.grants.entry(on.clone()).or_default().push(grant.clone());
        }
        unmanaged
    }
}

/// The name spaces and names that something holds, and its pattern.
struct Held {
    slots: Vec<(String, String)>,
    pattern: Option<String>,
}

async fn holders(session: &Session, mut held: HashMap<(u32, u32), Held>) -> Result<HashMap<(String, String), Holder>> {
    if held.is_empty() {
        return Ok(HashMap::new());
    }
    let (classes, oids): (Vec<u32>, Vec<u32>) = held.keys().copied().unzip();
    let sql = "select class, oid, pg_describe_object(class, oid, 0) from unnest($1::oid[], $2::oid[]) w (class, oid)";
    let mut names = HashMap::new();
    for row in session.client.query(sql, &[&classes, &oids]).await? {
        let what: Option<String> = row.try_get(2)?;
        if let (Some(what), Some(Held { slots, pattern })) = (what, held.remove(&(row.try_get(0)?, row.try_get(1)?))) {
            names.extend(slots.into_iter().map(|slot| (slot, Holder { what: what.clone(), pattern: pattern.clone() })));
        }
    }
    Ok(names)
}

/// What the unmanaged dependents are; PostgreSQL's own internals (the triggers behind foreign keys) are
/// left out.
async fn describe(
    session: &Session,
    unknown: HashMap<Address, Vec<Thing>>,
) -> Result<HashMap<Address, Vec<Dependent>>> {
    let mut dependents: HashMap<Address, Vec<Dependent>> = HashMap::new();
    let mut wanted: Vec<(Thing, Address)> =
        unknown.into_iter().flat_map(|(on, ids)| ids.into_iter().map(move |id| (id, on.clone()))).collect();
    wanted.sort();
    let classes: Vec<u32> = wanted.iter().map(|((class, _, _), _)| *class).collect();
    let oids: Vec<u32> = wanted.iter().map(|((_, oid, _), _)| *oid).collect();
    let subs: Vec<i32> = wanted.iter().map(|((_, _, sub), _)| *sub).collect();
    let rows = session
        .client
        .query(
            "select w.n::int8, pg_describe_object(w.class, w.oid, w.sub),
                    w.class in ('pg_constraint'::regclass, 'pg_attrdef'::regclass, 'pg_statistic_ext'::regclass) or coalesce(c.relkind in ('i', 'I'), false),
                    case when k.conrelid <> k.confrelid then k.conrelid::regclass::text end
             from unnest($1::oid[], $2::oid[], $3::int4[]) with ordinality w (class, oid, sub, n)
             left join pg_class c on w.class = 'pg_class'::regclass and c.oid = w.oid
             left join pg_constraint k on w.class = 'pg_constraint'::regclass and k.oid = w.oid and k.contype = 'f'
             left join pg_trigger t on w.class = 'pg_trigger'::regclass and t.oid = w.oid
             where t.tgisinternal is not true",
            &[&classes, &oids, &subs],
        )
        .await?;
    for row in rows {
        let n: i64 = row.try_get(0)?;
        let text: Option<String> = row.try_get(1)?;
        let at = usize::try_from(n - 1).ok().and_then(|n| wanted.get(n));
        if let (Some((_, on)), Some(what)) = (at, text) {
            let (remade, referrer) = (row.try_get(2)?, row.try_get(3)?);
            dependents.entry(on.clone()).or_default().push(Dependent { what, remade, referrer });
        }
    }
    Ok(dependents)
}
