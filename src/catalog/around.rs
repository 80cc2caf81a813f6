//! Who depends on whom around what differs, for a plan.
//!
//! A live node that is as desired needs what the desired one needs, if all that is as desired too: the server prints both
//! alike. So `pg_depend` is only asked for what differs, for what depends on that, directly or not, and for what
//! these need. That takes time in proportion to them, and where they are many, all is read.

use super::depend::{dependencies, link, Known, Links, Names, Thing, Unmanaged, LINKS, PARTS};
use super::load::Loaded;
use super::session::Session;
use crate::diff::{Comparison, Pairs};
use crate::error::Result;
use crate::kinds;
use crate::model::{Address, Model};
use crate::sql::name::split;
use rustc_hash::FxHashSet;
use tokio_postgres::Row;

/// Things from which on to read all takes less time than to ask.
const MANY: usize = 10_000;

/// Fills in the needs of the model's nodes and what rests on nothing managed, and returns what is unmanaged and depends on
/// what differs from the desired model, or has a name that it gives to something new. No links have been read.
pub async fn dependencies_around(
    session: &Session,
    loaded: &mut Loaded,
    desired: &Model,
    schemas: &[String],
) -> Result<Unmanaged> {
    let Compared { agreed, named } = Compared::of(&loaded.model, desired);
    let names = Names { schemas, named: Some(named) };
    let mut nodes = std::mem::take(&mut loaded.model).into_nodes();
    let differing = nodes.iter().zip(&agreed).filter(|(_, agreed)| agreed.is_none()).map(|(node, _)| &node.address);
    let Some((links, reached)) = reach(session, things_at(loaded, &differing.collect())).await? else {
        loaded.model = Model::new(nodes);
        loaded.links = Links::read(session).await?;
        return dependencies(session, loaded, names).await;
    };
    let bearers = names.bearers(session).await?;
    let mut wanted: FxHashSet<(u32, u32)> = reached.iter().map(|(class, oid, _)| (*class, *oid)).collect();
    let ends = links.needs.iter().flat_map(|(thing, on, _)| [thing, on]).chain(links.parts.values());
    wanted.extend(ends.map(|(class, oid, _)| (*class, *oid)));
    for row in &bearers {
        wanted.insert((row.try_get(0)?, row.try_get(1)?));
    }
    let known = Known::some(loaded, &nodes, &wanted);
    let mut exact = vec![false; nodes.len()];
    let places = reached.iter().filter_map(|thing| known.resolve(*thing, &links.parts)?.place);
    places.for_each(|place| exact[place] = true);
    for ((node, agreed), _) in nodes.iter_mut().zip(agreed).zip(exact).filter(|(_, exact)| !exact) {
        if let Some(needs) = agreed {
            node.needs = needs;
        }
    }
    let linked = link(session, &known, &mut nodes, links, &bearers).await?;
    drop(known);
    Ok(linked.into(loaded, nodes))
}

/// What a look at two models shows.
struct Compared {
    /// For each live node what the desired one needs, if it is as that one says and needs nothing that is not.
    agreed: Vec<Option<Vec<Address>>>,
    /// The names that new nodes take, without their schemas.
    named: Vec<String>,
}

impl Compared {
    fn of(live: &Model, desired: &Model) -> Self {
        let mut agreed: Vec<Option<Vec<Address>>> = Vec::with_capacity(live.nodes().len());
        let (mut named, mut otherwise) = (Vec::new(), FxHashSet::default());
        let mut comparison = Comparison::default();
        for (old, new) in Pairs::of(live, desired) {
            match (old, new) {
                (Some(_), new) => {
                    let same = new.filter(|_| comparison.delta(old, new).is_none());
                    if same.is_none() {
                        otherwise.extend(new.map(|new| &new.address));
                    }
                    agreed.push(same.map(|new| new.needs.clone()));
                }
                (None, Some(new)) => {
                    let slots = kinds::kind_of(&new.address).slots(new);
                    named.extend(slots.iter().filter_map(|(_, name)| split(name)).map(|(_, name)| name));
                    otherwise.insert(&new.address);
                }
                (None, None) => {}
            }
        }
        // What the desired one needs may do better than what there is now: another key, a nearer overload.
        for needs in agreed.iter_mut().filter(|_| !otherwise.is_empty()) {
            needs.take_if(|needs| needs.iter().any(|need| otherwise.contains(need)));
        }
        Self { agreed, named }
    }
}

/// The things at some addresses, and what extensions there brought.
fn things_at(loaded: &Loaded, addresses: &FxHashSet<&Address>) -> Vec<Thing> {
    if addresses.is_empty() {
        return Vec::new();
    }
    let own = loaded.things().filter(|(_, address)| addresses.contains(address)).map(|(thing, _)| thing);
    let brought = loaded.members.iter().filter(|(_, extension)| addresses.contains(extension));
    own.chain(brought.map(|((class, oid), _)| (*class, *oid, 0))).collect()
}

/// The links of some things and of all that depends on them, directly or not, with all of these; None if they are many.
async fn reach(session: &Session, start: Vec<Thing>) -> Result<Option<(Links, FxHashSet<Thing>)>> {
    let mut links = Links::default();
    let mut reached: FxHashSet<Thing> = start.iter().copied().collect();
    let mut next = start;
    while !next.is_empty() {
        if reached.len() > MANY {
            return Ok(None);
        }
        // Where a part depends on something, all of it does.
        let mut found: Vec<Thing> = Vec::new();
        for row in parts_of(session, next.iter().map(|(_, oid, _)| *oid)).await? {
            let (part, whole) = links.part(&row)?;
            found.extend(reached.contains(&part).then_some(whole));
        }
        for row in links_of(session, &next, DEPENDENTS).await? {
            found.push(links.need(&row)?.0);
        }
        next = found.into_iter().filter(|thing| reached.insert(*thing)).collect();
    }
    let all: Vec<Thing> = reached.iter().copied().collect();
    let mut asked: FxHashSet<u32> = FxHashSet::default();
    for row in links_of(session, &all, NEEDS).await? {
        let (_, (_, oid, _)) = links.need(&row)?;
        asked.insert(oid);
    }
    // What is needed may be a part of something, which may be a part too.
    let mut next: Vec<u32> = asked.iter().copied().collect();
    while !next.is_empty() {
        let rows = parts_of(session, next.into_iter()).await?;
        next = Vec::new();
        for row in rows {
            let (_, (_, whole, _)) = links.part(&row)?;
            next.extend(asked.insert(whole).then_some(whole));
        }
    }
    // Those among what was reached were found from both of their ends.
    links.needs.sort_unstable();
    links.needs.dedup();
    Ok(Some((links, reached)))
}

/// The columns of a link that say what needs something, and what is needed: a thing's own needs, and its dependents.
const NEEDS: [&str; 3] = ["classid", "objid", "objsubid"];
const DEPENDENTS: [&str; 3] = ["refclassid", "refobjid", "refobjsubid"];

/// The links of things at one of their ends.
async fn links_of(session: &Session, things: &[Thing], [class, oid, sub]: [&str; 3]) -> Result<Vec<Row>> {
    if things.is_empty() {
        return Ok(Vec::new());
    }
    let classes: Vec<u32> = things.iter().map(|(class, _, _)| *class).collect();
    let oids: Vec<u32> = things.iter().map(|(_, oid, _)| *oid).collect();
    let subs: Vec<i32> = things.iter().map(|(_, _, sub)| *sub).collect();
    let sql = format!(
        "select l.* from unnest($1::oid[], $2::oid[], $3::int4[]) w (class, oid, sub)
         join ({LINKS}) l on l.{class} = w.class and l.{oid} = w.oid and (w.sub = 0 or l.{sub} = w.sub)"
    );
    Ok(session.client.query(&sql, &[&classes, &oids, &subs]).await?)
}

/// What some things are parts of.
async fn parts_of(session: &Session, oids: impl Iterator<Item = u32>) -> Result<Vec<Row>> {
    let oids: Vec<u32> = oids.collect();
    if oids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("select p.* from ({PARTS}) p (class, oid, of_class, of, sub) where p.oid = any ($1)");
    Ok(session.client.query(&sql, &[&oids]).await?)
}
